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
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
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
            default -> throw new IllegalArgumentException(args[0] + ": say produce or consume");
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

    private static void consume(String brokers, String group, String topics, String protocol, String isolation) {
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
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(options)) {
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
