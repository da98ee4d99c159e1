import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

import org.apache.kafka.common.utils.Exit;
import org.slf4j.LoggerFactory;

/**
 * Runs the main methods of Kafka's tools one after the other in one JVM, for a start
 * of its own takes each of them seconds.
 *
 * Standard input has a line for each: the class, the milliseconds it may take, and its
 * arguments, with tabs between. The answer is what it printed to both of its streams, a
 * "| " before each line, and then a line "exit" with its status.
 */
public final class Tools {
    /** What stands for the status of one that has not ended in its time. */
    private static final int LATE = 124;

    /** Thrown where the tool wanted to end the process. Some catch it: see exit. */
    private static final class Ended extends RuntimeException {
        private static final long serialVersionUID = 1;

        Ended() {
            super("the end", null, false, false);
        }
    }

    private static final Switch SWITCH = new Switch();

    /** The status that the tool ended with, null before. */
    private static volatile Integer exited;

    /** Does what the tool takes for its end: nothing after the first is heard or counts. */
    private static void exit(int status, String message) {
        if (exited == null) {
            if (message != null)
                System.out.println(message);
            System.out.flush();
            exited = status;
            SWITCH.to(OutputStream.nullOutputStream());
        }
        throw new Ended();
    }

    /** A stream that stays the same for those who keep it, and changes where it goes. */
    private static final class Switch extends OutputStream {
        private OutputStream to = OutputStream.nullOutputStream();

        synchronized void to(OutputStream other) {
            to = other;
        }

        @Override
        public synchronized void write(int b) throws java.io.IOException {
            to.write(b);
        }

        @Override
        public synchronized void write(byte[] b, int from, int length) throws java.io.IOException {
            to.write(b, from, length);
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        LoggerFactory.getLogger(Tools.class).info("the log keeps the process's own standard error");
        PrintStream said = new PrintStream(SWITCH, true, StandardCharsets.UTF_8);
        System.setOut(said);
        System.setErr(said);
        Exit.setExitProcedure(Tools::exit);
        Exit.setHaltProcedure(Tools::exit);

        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] f = line.split("\t", -1);
            ByteArrayOutputStream text = new ByteArrayOutputStream();
            SWITCH.to(text);
            exited = null;
            int status = run(f[0], Long.parseLong(f[1]), Arrays.copyOfRange(f, 2, f.length));
            said.flush();
            SWITCH.to(OutputStream.nullOutputStream());
            text.toString(StandardCharsets.UTF_8).lines().forEach(l -> answers.println("| " + l));
            answers.println("exit " + status);
            answers.flush();
        }
        Runtime.getRuntime().halt(0); // what a tool left running is over, too
    }

    private static int run(String tool, long within, String[] args) throws Exception {
        int[] status = {0};
        Thread thread = new Thread(() -> status[0] = call(tool, args), "tool");
        thread.setDaemon(true);
        thread.start();
        thread.join(within);
        if (!thread.isAlive())
            return exited == null ? status[0] : exited;
        for (StackTraceElement at : thread.getStackTrace())
            System.out.println("waits at " + at);
        thread.interrupt();
        return LATE;
    }

    private static int call(String tool, String[] args) {
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) args);
            return 0;
        } catch (InvocationTargetException e) {
            System.out.println("thrown: " + e.getCause());
            return 1;
        } catch (ReflectiveOperationException e) {
            System.out.println("cannot be called: " + e);
            return 1;
        }
    }
}
