// Makes the java-*.batch files beside it, with Kafka's own client library:
//   java -cp "<jars of kafka-clients 4.3.1 and its dependencies>/*" JavaBatches.java DIR
import org.apache.kafka.common.compress.*;
import org.apache.kafka.common.header.*;
import org.apache.kafka.common.header.internals.*;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.utils.BufferSupplier;
import java.nio.*;
import java.nio.file.*;
import java.util.*;
public class JavaBatches {
  static void write(String dir, String name, ByteBuffer b) throws Exception {
    byte[] out = new byte[b.remaining()]; b.get(out);
    Files.write(Path.of(dir, name), out);
  }
  static void filter(String dir, String name, MemoryRecords m, Set<Long> keep) throws Exception {
    ByteBuffer out = ByteBuffer.allocate(1 << 16);
    m.filterTo(new MemoryRecords.RecordFilter(1800000000000L, 60000L) {
      protected BatchRetentionResult checkBatchRetention(RecordBatch b) { return new BatchRetentionResult(BatchRetention.RETAIN_EMPTY, false); }
      protected boolean shouldRetainRecord(RecordBatch b, org.apache.kafka.common.record.internal.Record r) { return keep.contains(r.offset()); }
    }, out, BufferSupplier.NO_CACHING);
    out.flip();
    write(dir, name, out);
  }
  public static void main(String[] a) throws Exception {
    List<SimpleRecord> recs = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      byte[] v = i == 0 ? null : "water ".repeat(i).getBytes();
      Header[] h = i % 4 == 0 ? new Header[]{ new RecordHeader("n", new byte[]{(byte)i}), new RecordHeader("n", (byte[]) null) } : new Header[0];
      recs.add(new SimpleRecord(1700000000000L + i, ("key-" + (i % 3)).getBytes(), v, h));
    }
    SimpleRecord[] rs = recs.toArray(new SimpleRecord[0]);
    for (String name : new String[]{"none","gzip","snappy","lz4","zstd"}) {
      Compression c = Compression.of(name).build();
      write(a[0], "java-" + name + ".batch", MemoryRecords.withRecords(c, rs).buffer());
    }
    MemoryRecords m = MemoryRecords.withIdempotentRecords((byte)2, 0L, Compression.NONE, 9L, (short)1, 30, 5, rs);
    write(a[0], "java-idempotent.batch", m.buffer().duplicate());
    filter(a[0], "java-retained-values.batch", m, Set.of(5L, 7L));
    filter(a[0], "java-retained-tombstone.batch", m, Set.of(0L, 7L));
    filter(a[0], "java-retained-none.batch", m, Set.of());
  }
}
