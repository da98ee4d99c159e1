import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;

import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A client under test: Apache Kafka's own Java client, driven by lines on standard input.
 *
 * <pre>
 * Client produce BROKERS TOPIC CODEC IDEMPOTENT
 * Client consume BROKERS GROUP TOPIC,TOPIC... PROTOCOL ISOLATION
 * Client transform BROKERS GROUP FROM TO TRANSACTIONAL_ID PROTOCOL
 * </pre>
 *
 * The lines are described in the Go package beside this folder (line.go).
 */
public class Client {
    private static final PrintStream OUT = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true);
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "produce" -> produce(args[1], args[2], args[3], args[4]);
            case "consume" -> consume(args[1], args[2], args[3], args[4], args[5]);
            case "transform" -> transform(args[1], args[2], args[3], args[4], args[5], args[6]);
            default -> throw new IllegalArgumentException(args[0] + ": say produce, consume or transform");
        }
    }

    private static void produce(String brokers, String topic, String codec, String idempotent) throws IOException {
        Properties options = new Properties();
        options.put("bootstrap.servers", brokers);
        options.put("key.serializer", ByteArraySerializer.class.getName());
        options.put("value.serializer", ByteArraySerializer.class.getName());
        options.put("compression.type", codec);
        options.put("enable.idempotence", idempotent);
        options.put("acks", "all");
        AtomicInteger failures = new AtomicInteger();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(options)) {
            String line;
            for (int i = 0; (line = IN.readLine()) != null; i++) {
                String[] f = line.split("\t", -1);
                int n = i;
                producer.send(new ProducerRecord<>(topic, f[0].equals("-") ? null : Integer.valueOf(f[0]),
                        f[1].equals("-") ? null : Long.valueOf(f[1]), decode(f[2]), decode(f[3]), decodeHeaders(f[4])),
                    (ack, error) -> {
                        if (error != null) {
                            failures.incrementAndGet();
                            OUT.println("failed\t" + n + "\t" + error);
                        } else {
                            OUT.println("ack\t" + n + "\t" + ack.partition() + "\t" + ack.offset());
                        }
                    });
            }
        }
        if (failures.get() > 0) {
            System.err.println(failures.get() + " records failed");
            System.exit(1);
        }
    }

    private static Properties member(String brokers, String group, String protocol, String isolation) {
        Properties options = new Properties();
        options.put("bootstrap.servers", brokers);
        options.put("key.deserializer", ByteArrayDeserializer.class.getName());
        options.put("value.deserializer", ByteArrayDeserializer.class.getName());
        options.put("group.id", group);
        options.put("auto.offset.reset", "earliest");
        options.put("enable.auto.commit", "false");
        options.put("isolation.level", isolation);
        options.put("group.protocol", protocol);
        if (protocol.equals("classic")) { // the broker decides for the others
            options.put("session.timeout.ms", "6000");
            options.put("heartbeat.interval.ms", "500");
        }
        return options;
    }

    /** A thread that lives until standard input ends. */
    private static Thread input() {
        Thread input = new Thread(() -> {
            try {
                while (IN.read() >= 0) {
                    // whatever comes is no end yet
                }
            } catch (IOException e) {
                System.err.println(e);
            }
        });
        input.setDaemon(true);
        input.start();
        return input;
    }

    private static void consume(String brokers, String group, String topics, String protocol, String isolation) {
        Thread input = input();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(member(brokers, group, protocol, isolation))) {
            consumer.subscribe(Arrays.asList(topics.split(",")));
            while (input.isAlive()) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) {
                    OUT.println(String.join("\t", "record", r.topic(), "" + r.partition(), "" + r.offset(), "" + r.timestamp(),
                        encode(r.key()), encode(r.value()), encodeHeaders(r.headers())));
                }
                commit(consumer);
            }
        }
    }

    private static void transform(String brokers, String group, String from, String to, String id, String protocol) {
        Properties reading = member(brokers, group, protocol, "read_committed");
        reading.put("max.poll.records", "20");
        Properties writing = new Properties();
        writing.put("bootstrap.servers", brokers);
        writing.put("key.serializer", ByteArraySerializer.class.getName());
        writing.put("value.serializer", ByteArraySerializer.class.getName());
        writing.put("transactional.id", id);
        writing.put("transaction.timeout.ms", "20000");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(reading);
             KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(writing)) {
            producer.initTransactions();
            consumer.subscribe(List.of(from));
            Thread input = input();
            for (int turn = 1; input.isAlive(); ) {
                ConsumerRecords<byte[], byte[]> batch = consumer.poll(Duration.ofMillis(200));
                if (batch.isEmpty()) {
                    continue;
                }
                try {
                    producer.beginTransaction();
                    for (ConsumerRecord<byte[], byte[]> r : batch) {
                        producer.send(new ProducerRecord<>(to, r.partition(), r.key(), r.value()));
                    }
                    if (turn++ % 5 != 0) {
                        producer.sendOffsetsToTransaction(batch.nextOffsets(), consumer.groupMetadata());
                        producer.commitTransaction();
                        OUT.println("committed\t" + batch.count());
                        continue;
                    }
                    producer.flush();
                } catch (ProducerFencedException e) {
                    throw e;
                } catch (KafkaException e) {
                    System.err.println("aborting: " + e);
                }
                producer.abortTransaction();
                for (TopicPartition p : batch.partitions()) {
                    if (consumer.assignment().contains(p)) {
                        consumer.seek(p, batch.records(p).get(0).offset());
                    }
                }
                OUT.println("aborted\t" + batch.count());
            }
        }
    }

    /** A group that rebalances, or a broker that restarts, takes no commit just now; the next one covers it. */
    private static void commit(KafkaConsumer<byte[], byte[]> consumer) {
        try {
            consumer.commitSync(Duration.ofSeconds(5));
        } catch (CommitFailedException | RetriableException e) {
            System.err.println("not committed: " + e);
        }
    }

    private static byte[] decode(String field) {
        return field.equals("-") ? null : Base64.getDecoder().decode(field);
    }

    private static String encode(byte[] data) {
        return data == null ? "-" : Base64.getEncoder().encodeToString(data);
    }

    private static List<Header> decodeHeaders(String field) {
        List<Header> headers = new ArrayList<>();
        for (String pair : field.split(",")) {
            if (!pair.isEmpty()) {
                String[] parts = pair.split(":", -1);
                headers.add(new RecordHeader(new String(decode(parts[0]), java.nio.charset.StandardCharsets.UTF_8), decode(parts[1])));
            }
        }
        return headers;
    }

    private static String encodeHeaders(Iterable<Header> headers) {
        List<String> pairs = new ArrayList<>();
        for (Header h : headers) {
            pairs.add(encode(h.key().getBytes(java.nio.charset.StandardCharsets.UTF_8)) + ":" + encode(h.value()));
        }
        return String.join(",", pairs);
    }
}
