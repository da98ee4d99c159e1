import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A share consumer that acknowledges each record itself. The first letter of its value
 * says what becomes of it: a is accepted; l is let go (released) the first time and then
 * accepted; j is rejected; n is renewed once and then accepted.
 *
 * Arguments: servers, group, topic. Prints "got PLACE VALUE DELIVERY" for each delivery
 * and, when the broker has confirmed it, "accepted PLACE", "released PLACE", "rejected
 * PLACE" or "renewed PLACE"; "unconfirmed PLACE REASON" if it has not. PLACE is the partition and offset.
 * Leaves and ends with SIGTERM.
 */
public final class Queue {
    public static void main(String[] args) throws Exception {
        Map<String, Object> c = new HashMap<>();
        c.put("bootstrap.servers", args[0]);
        c.put("group.id", args[1]);
        c.put("share.acknowledgement.mode", "explicit");
        c.put("max.poll.records", 50);
        c.put("key.deserializer", StringDeserializer.class);
        c.put("value.deserializer", StringDeserializer.class);
        KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(c);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try {
                main.join();
            } catch (InterruptedException e) {
                main.interrupt();
            }
        }));
        consumer.subscribe(List.of(args[2]));
        Set<String> renewed = new HashSet<>();
        try {
            while (true) {
                Map<String, String> words = new HashMap<>();
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(500))) {
                    String place = r.partition() + "-" + r.offset();
                    System.out.println("got " + place + " " + r.value() + " " + r.deliveryCount().orElseThrow());
                    AcknowledgeType type = switch (r.value().charAt(0)) {
                        case 'j' -> AcknowledgeType.REJECT;
                        case 'l' -> r.deliveryCount().get() == 1 ? AcknowledgeType.RELEASE : AcknowledgeType.ACCEPT;
                        case 'n' -> renewed.add(place) ? AcknowledgeType.RENEW : AcknowledgeType.ACCEPT;
                        default -> AcknowledgeType.ACCEPT;
                    };
                    consumer.acknowledge(r, type);
                    words.put(place, type.toString());
                }
                confirm(consumer, words);
            }
        } catch (WakeupException e) {
            consumer.close(Duration.ofSeconds(10));
        }
    }

    private static void confirm(KafkaShareConsumer<String, String> consumer, Map<String, String> words) {
        Map<Integer, Optional<KafkaException>> results = new HashMap<>();
        for (Map.Entry<TopicIdPartition, Optional<KafkaException>> e : consumer.commitSync().entrySet())
            results.put(e.getKey().partition(), e.getValue());
        for (Map.Entry<String, String> e : words.entrySet()) {
            Optional<KafkaException> result = results.get(Integer.valueOf(e.getKey().split("-")[0]));
            if (result == null)
                System.out.println("unconfirmed " + e.getKey() + " nothing");
            else if (result.isPresent())
                System.out.println("unconfirmed " + e.getKey() + " " + result.get().getClass().getSimpleName());
            else
                System.out.println(e.getValue() + " " + e.getKey());
        }
        System.out.flush();
    }
}
