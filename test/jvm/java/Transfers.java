import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A transactional producer: each transaction sends four records, two to each of two
 * topics, with its own number as their value; every fifth is aborted.
 *
 * Arguments: servers, transactional id, the number of the first transaction, topic, topic.
 * Prints "begun N" before a transaction, "committed N" or "aborted N" after it, and "fenced N" when another
 * producer has taken over, which ends it. It goes on until then.
 */
public final class Transfers {
    public static void main(String[] args) throws Exception {
        Map<String, Object> c = new HashMap<>();
        c.put("bootstrap.servers", args[0]);
        c.put("transactional.id", args[1]);
        c.put("transaction.timeout.ms", 30000);
        c.put("key.serializer", StringSerializer.class);
        c.put("value.serializer", StringSerializer.class);
        KafkaProducer<String, String> producer = new KafkaProducer<>(c);
        producer.initTransactions();
        for (int n = Integer.parseInt(args[2]); ; n++) {
            say("begun " + n);
            try {
                producer.beginTransaction();
                for (int i = 0; i < 4; i++)
                    producer.send(new ProducerRecord<>(args[3 + i % 2], "key-" + n + "-" + i, Integer.toString(n)));
                if (n % 5 == 0) {
                    producer.flush();
                    producer.abortTransaction();
                    say("aborted " + n);
                } else {
                    producer.commitTransaction();
                    say("committed " + n);
                }
                TimeUnit.MILLISECONDS.sleep(2); // it is to be killed, not to be quick
            } catch (KafkaException e) {
                for (Throwable t = e; t != null; t = t.getCause())
                    // Until the other has its new epoch, its abort is all that there is to be told of.
                    if (t instanceof ProducerFencedException || t instanceof InvalidProducerEpochException || t instanceof InvalidTxnStateException) {
                        say("fenced " + n);
                        Runtime.getRuntime().halt(0);
                    }
                throw e;
            }
        }
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
