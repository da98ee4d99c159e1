import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;

import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What the tools look at and do not make themselves: records, commits, members of
 * groups, transactions that stay open. Runs inside Tools, one call after the other;
 * what it leaves open stays open until it is closed by name.
 */
public final class Hands {
    /** By the broker's address and the name. */
    private static final Map<String, AutoCloseable> OPEN = new ConcurrentHashMap<>();

    /** The time of the first record, in ms; the following are one ms later each. */
    private static final long FIRST = 1_700_000_000_000L;

    public static void main(String[] a) throws Exception {
        String servers = a[1];
        switch (a[0]) {
            case "produce": // topic partition count
                produce(servers, a[2], Integer.parseInt(a[3]), Integer.parseInt(a[4]));
                break;
            case "commit": // group topic partition offset
                commit(servers, a[2], a[3], Integer.parseInt(a[4]), Long.parseLong(a[5]));
                break;
            case "join": // name classic|consumer group topic client-id
                join(servers, a[2], a[3], a[4], a[5], a[6]);
                break;
            case "share": // name group topic client-id
                share(servers, a[2], a[3], a[4], a[5]);
                break;
            case "begin": // name transactional-id topic partition count
                begin(servers, a[2], a[3], a[4], Integer.parseInt(a[5]), Integer.parseInt(a[6]));
                break;
            case "close": // name
                OPEN.remove(servers + a[2]).close();
                break;
            default:
                throw new IllegalArgumentException(a[0]);
        }
    }

    private static Map<String, Object> common(String servers) {
        Map<String, Object> c = new HashMap<>();
        c.put("bootstrap.servers", servers);
        c.put("key.serializer", StringSerializer.class);
        c.put("value.serializer", StringSerializer.class);
        c.put("key.deserializer", ByteArrayDeserializer.class);
        c.put("value.deserializer", StringDeserializer.class);
        return c;
    }

    private static void send(Producer<String, String> producer, String topic, int partition, int count) {
        for (int i = 0; i < count; i++)
            producer.send(new ProducerRecord<>(topic, partition, FIRST + i, "k" + i, "value " + i));
        producer.flush();
    }

    private static void produce(String servers, String topic, int partition, int count) {
        Map<String, Object> c = common(servers);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(c)) {
            send(producer, topic, partition, count);
        }
    }

    private static void begin(String servers, String name, String id, String topic, int partition, int count) {
        Map<String, Object> c = common(servers);
        c.put("transactional.id", id);
        KafkaProducer<String, String> producer = new KafkaProducer<>(c);
        OPEN.put(servers + name, () -> producer.close(Duration.ZERO)); // leaves the transaction open
        producer.initTransactions();
        producer.beginTransaction();
        send(producer, topic, partition, count);
    }

    private static void commit(String servers, String group, String topic, int partition, long offset) {
        Map<String, Object> c = common(servers);
        c.put("group.id", group);
        c.put("enable.auto.commit", false);
        TopicPartition at = new TopicPartition(topic, partition);
        try (KafkaConsumer<byte[], String> consumer = new KafkaConsumer<>(c)) {
            consumer.assign(List.of(at));
            consumer.commitSync(Map.of(at, new OffsetAndMetadata(offset)));
        }
    }

    /** Polls until it is ended. */
    private static final class Member {
        private final CountDownLatch ready = new CountDownLatch(1);
        private final Runnable wakeup;
        private final Thread thread;
        private volatile RuntimeException failed;

        /** poll says whether the member is what it was to become. */
        Member(BooleanSupplier poll, Runnable wakeup, Runnable close) {
            this.wakeup = wakeup;
            thread = new Thread(() -> {
                try (AutoCloseable at = close::run) {
                    while (true)
                        if (poll.getAsBoolean())
                            ready.countDown();
                } catch (WakeupException e) {
                    // it is to be ended
                } catch (RuntimeException e) {
                    failed = e;
                } catch (Exception e) {
                    failed = new IllegalStateException(e);
                } finally {
                    ready.countDown();
                }
            });
            thread.setDaemon(true);
            thread.start();
        }

        void await() throws InterruptedException {
            ready.await();
            if (failed != null)
                throw failed;
        }

        void end() throws InterruptedException {
            wakeup.run();
            thread.join();
            if (failed != null)
                throw failed;
        }
    }

    /** Returns when the member has partitions, and a commit of where they begin. */
    private static void join(String servers, String name, String protocol, String group, String topic, String client) throws InterruptedException {
        Map<String, Object> c = common(servers);
        c.put("group.id", group);
        c.put("group.protocol", protocol);
        c.put("client.id", client);
        c.put("enable.auto.commit", false);
        c.put("auto.offset.reset", "earliest");
        KafkaConsumer<byte[], String> consumer = new KafkaConsumer<>(c);
        List<TopicPartition> got = new ArrayList<>();
        Set<TopicPartition> committed = new HashSet<>();
        consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                got.addAll(partitions);
            }

            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                got.removeAll(partitions);
            }
        });
        Member member = new Member(() -> {
            consumer.poll(Duration.ofMillis(100));
            Map<TopicPartition, OffsetAndMetadata> begin = new HashMap<>();
            for (TopicPartition p : got)
                if (committed.add(p))
                    begin.put(p, new OffsetAndMetadata(1));
            if (!begin.isEmpty())
                consumer.commitSync(begin);
            return !committed.isEmpty();
        }, consumer::wakeup, () -> close(consumer));
        OPEN.put(servers + name, member::end);
        member.await();
    }

    private static void close(Consumer<?, ?> consumer) {
        consumer.close(org.apache.kafka.clients.consumer.CloseOptions.timeout(Duration.ofSeconds(5)));
    }

    /** Returns when the member has read a record, and accepted it. */
    private static void share(String servers, String name, String group, String topic, String client) throws InterruptedException {
        Map<String, Object> c = common(servers);
        c.put("group.id", group);
        c.put("client.id", client);
        ShareConsumer<byte[], String> consumer = new KafkaShareConsumer<>(c);
        consumer.subscribe(List.of(topic));
        Member member = new Member(() -> {
            boolean read = !consumer.poll(Duration.ofMillis(100)).isEmpty();
            if (read)
                consumer.commitSync();
            return read;
        }, consumer::wakeup, () -> consumer.close(Duration.ofSeconds(5)));
        OPEN.put(servers + name, member::end);
        member.await();
    }
}
