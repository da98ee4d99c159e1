"""A client under test: confluent-kafka, librdkafka for Python, driven by lines on
standard input.

    confluent.py produce BROKERS TOPIC CODEC IDEMPOTENT
    confluent.py consume BROKERS GROUP TOPIC,TOPIC... PROTOCOL ISOLATION
    confluent.py transform BROKERS GROUP FROM TO TRANSACTIONAL_ID PROTOCOL
    confluent.py share BROKERS GROUP TOPIC
    confluent.py admin BROKERS PREFIX PAUSE_IN_MS

The lines are described in the Go package beside this folder (line.go).
"""

import base64
import sys
import threading
from time import sleep

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    AcknowledgeType,
    Consumer,
    ConsumerGroupTopicPartitions,
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    Producer,
    ShareConsumer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

WRITING = threading.Lock()


def say(*fields):
    with WRITING:
        sys.stdout.write("\t".join(str(f) for f in fields) + "\n")
        sys.stdout.flush()


def decode(field):
    return None if field == "-" else base64.b64decode(field)


def encode(data):
    return "-" if data is None else base64.b64encode(data).decode()


def decode_headers(field):
    pairs = (pair.split(":") for pair in field.split(",") if pair)
    return [(base64.b64decode(name).decode(), decode(value)) for name, value in pairs]


def encode_headers(headers):
    return ",".join(encode(name.encode()) + ":" + encode(value) for name, value in headers or [])


def stopped():
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    return stop


def produce(brokers, topic, codec, idempotent):
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "compression.type": codec,
            "enable.idempotence": idempotent == "true",
            "linger.ms": 5,
            "reconnect.backoff.max.ms": 1000,
        }
    )
    failures = []

    def delivered(n, error, message):
        if error is not None:
            failures.append(error)
            say("failed", n, error)
        else:
            say("ack", n, message.partition(), message.offset())

    sent = threading.Event()

    def poll():
        while not sent.is_set():
            producer.poll(0.05)

    polling = threading.Thread(target=poll)
    polling.start()
    for n, line in enumerate(sys.stdin):
        partition, time, key, value, headers = line.rstrip("\n").split("\t")
        options = {}
        if partition != "-":
            options["partition"] = int(partition)
        if time != "-":
            options["timestamp"] = int(time)
        producer.produce(
            topic,
            value=decode(value),
            key=decode(key),
            headers=decode_headers(headers),
            on_delivery=lambda error, message, n=n: delivered(n, error, message),
            **options,
        )
    sent.set()
    polling.join()
    producer.flush()
    if failures:
        sys.exit(f"{len(failures)} records failed, the first one with {failures[0]}")


def consumer_of(brokers, group, protocol, **more):
    config = {
        "bootstrap.servers": brokers,
        "group.id": group,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "topic.metadata.refresh.interval.ms": 1000,
        "reconnect.backoff.max.ms": 1000,
        **more,
    }
    if protocol == "classic":
        config.update({"session.timeout.ms": 6000, "heartbeat.interval.ms": 500})
    return Consumer(config)


def consume(brokers, group, topics, protocol="classic", isolation="read_uncommitted"):
    consumer = consumer_of(brokers, group, protocol, **{"isolation.level": isolation})
    # What is given up is committed first: the next one goes on where this one was.
    consumer.subscribe(topics.split(","), on_revoke=lambda c, partitions: commit(c))
    stop = stopped()
    while not stop.is_set():
        for r in consumer.consume(500, timeout=0.2):
            if r.error() is not None:
                print("not read:", r.error(), file=sys.stderr)
                continue
            kind, time = r.timestamp()
            say(
                "record", r.topic(), r.partition(), r.offset(),
                -1 if kind == TIMESTAMP_NOT_AVAILABLE else time,
                encode(r.key()), encode(r.value()), encode_headers(r.headers()),
            )  # fmt: skip
        commit(consumer)
    commit(consumer)
    consumer.close()


PASSING = {
    KafkaError._NO_OFFSET,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._WAIT_COORD,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
}


def commit(consumer):
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() not in PASSING:
            raise
        if error.args[0].code() != KafkaError._NO_OFFSET:
            print("not committed:", error, file=sys.stderr)


def transform(brokers, group, source, target, transactional_id, protocol="classic"):
    consumer = consumer_of(brokers, group, protocol, **{"isolation.level": "read_committed"})
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": 20000,
            "reconnect.backoff.max.ms": 1000,
            # librdkafka 2.16 forgets the brokers that it knew when the only one is away,
            # and then never sends the offsets of a transaction that it has begun meanwhile.
            "metadata.recovery.strategy": "none",
        }
    )
    producer.init_transactions()
    consumer.subscribe([source])
    stop = stopped()
    turn = 0
    while not stop.is_set():
        batch = [r for r in consumer.consume(20, timeout=0.2) if r.error() is None]
        if not batch:
            continue
        turn += 1
        try:
            producer.begin_transaction()
            for r in batch:
                producer.produce(target, key=r.key(), value=r.value(), partition=r.partition())
            if turn % 5 == 0:
                producer.flush()
                producer.abort_transaction()
                back(consumer)
                say("aborted", len(batch))
                continue
            producer.send_offsets_to_transaction(
                consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
            )
            producer.commit_transaction()
            say("committed", len(batch))
        except KafkaException as error:
            if error.args[0].fatal() or not error.args[0].txn_requires_abort():
                raise
            print("aborting:", error, file=sys.stderr)
            producer.abort_transaction()
            back(consumer)
            say("aborted", len(batch))
    consumer.close()


def back(consumer):
    """Goes back to what is committed."""
    while True:
        try:
            for p in consumer.committed(consumer.assignment(), timeout=10):
                if p.offset < 0:
                    p = TopicPartition(p.topic, p.partition, 0)
                consumer.seek(p)
            return
        except KafkaException as error:
            print("not yet back:", error, file=sys.stderr)


def share(brokers, group, topic):
    """Rejects what is poison, gives back every tenth record the first time, accepts the rest."""
    consumer = ShareConsumer(
        {
            "bootstrap.servers": brokers,
            "group.id": group,
            "share.acknowledgement.mode": "explicit",
            "reconnect.backoff.max.ms": 1000,
        }
    )
    consumer.subscribe([topic])
    stop = stopped()
    while not stop.is_set():
        batch = [r for r in consumer.poll(timeout=0.2) if r.error() is None]
        verdicts = []
        for r in batch:
            if r.value() == b"poison":
                verdict = AcknowledgeType.REJECT
            elif r.offset() % 10 == 0 and r.delivery_count() == 1:
                verdict = AcknowledgeType.RELEASE
            else:
                verdict = AcknowledgeType.ACCEPT
            consumer.acknowledge(r, verdict)
            verdicts.append((r, verdict))
        try:
            answers = {(p.topic, p.partition): error for p, error in consumer.commit_sync(10.0).items()}
        except KafkaException as error:
            print("not committed:", error, file=sys.stderr)
            answers = None
        for r, verdict in verdicts:
            good = answers is not None and answers.get((r.topic(), r.partition()), "nothing") is None
            say("share", r.partition(), r.offset(), r.delivery_count(), AcknowledgeType(verdict).name.lower(), "confirmed" if good else "unknown")
    consumer.close()


def admin(brokers, prefix, pause):
    a = AdminClient({"bootstrap.servers": brokers})
    topic, group = prefix + "-topic", prefix + "-group"

    def result(what, call):
        """Says how a call goes, which is made again while Apache's topic is on its way."""
        try:
            for _ in range(50):
                try:
                    value = call().result(30)
                    break
                except KafkaException as error:
                    if not what.startswith(("describe", "list")):
                        raise
                    last = error
                    sleep(0.1)
            else:
                raise last
        except KafkaException as error:
            say(what, error.args[0].name())
            return None
        finally:
            sleep(int(pause) / 1000)
        say(what, "ok")
        return value

    def one(futures):
        return next(iter(futures.values()))

    result("create", lambda: one(a.create_topics([NewTopic(topic, 2, 1, config={"cleanup.policy": "compact", "retention.ms": "1000"})])))
    result("create again", lambda: one(a.create_topics([NewTopic(topic, 2, 1)])))
    result("create with a bad name", lambda: one(a.create_topics([NewTopic("no/such name", 1, 1)])))
    result("create with a bad config", lambda: one(a.create_topics([NewTopic(topic + "-2", 1, 1, config={"no.such": "1"})])))
    result("create with three replicas", lambda: one(a.create_topics([NewTopic(topic + "-3", 1, 3)])))
    result("create only to see", lambda: one(a.create_topics([NewTopic(topic + "-4", 1, 1)], validate_only=True)))

    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)

    def configs():
        found = result("describe configs", lambda: one(a.describe_configs([resource])))
        for name in ("cleanup.policy", "retention.ms", "max.message.bytes", "compression.type"):
            say("config", name, found[name].value, found[name].source, found[name].is_default)

    configs()
    changes = [
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
        ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.APPEND),
    ]
    result("alter configs", lambda: one(a.incremental_alter_configs([ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=changes)])))
    configs()
    result("more partitions", lambda: one(a.create_partitions([NewPartitions(topic, 5)])))
    result("fewer partitions", lambda: one(a.create_partitions([NewPartitions(topic, 3)])))

    producer = Producer({"bootstrap.servers": brokers})
    for i in range(10):
        producer.produce(topic, key=b"k", value=b"%d" % i, partition=0)
    producer.flush()  # or they share a batch with what is too large
    producer.produce(topic, key=b"large", value=b"x" * 4000, partition=0, on_delivery=lambda e, m: say("large", e.name() if e else "ok"))
    producer.flush()
    said = a.list_topics(topic).topics[topic]
    say("topic", len(said.partitions), sorted(p.leader for p in said.partitions.values()))
    say("topics", sorted(t for t in a.list_topics().topics if t.startswith(prefix)))

    part = TopicPartition(topic, 0)
    for name, spec in (("earliest", OffsetSpec.earliest()), ("latest", OffsetSpec.latest())):
        say("offset", name, result("list offsets", lambda: one(a.list_offsets({part: spec}))).offset)
    say("low", result("delete records", lambda: one(a.delete_records([TopicPartition(topic, 0, 4)]))).low_watermark)
    result("delete records beyond the end", lambda: one(a.delete_records([TopicPartition(topic, 0, 400)])))
    say("offset", "earliest", result("list offsets", lambda: one(a.list_offsets({part: OffsetSpec.earliest()}))).offset)

    consumer = consumer_of(brokers, group, "classic")
    consumer.subscribe([topic])
    read = 0
    while read < 6:
        read += len(consumer.consume(6 - read, timeout=1))
    consumer.commit(asynchronous=False)
    found = result("describe group", lambda: one(a.describe_consumer_groups([group])))
    say("group", found.state == ConsumerGroupState.STABLE, len(found.members), found.partition_assignor, found.is_simple_consumer_group)
    result("delete the group that has a member", lambda: one(a.delete_consumer_groups([group])))
    consumer.close()
    offsets = result("group offsets", lambda: one(a.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [part])])))
    say("committed", [(p.partition, p.offset) for p in offsets.topic_partitions])
    result("alter group offsets", lambda: one(a.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 5)])])))
    offsets = result("group offsets", lambda: one(a.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [part])])))
    say("committed", [(p.partition, p.offset) for p in offsets.topic_partitions])
    listed = result("list groups", lambda: a.list_consumer_groups())
    say("groups", [(g.group_id, g.state.name) for g in listed.valid if g.group_id == group])
    result("delete the group", lambda: one(a.delete_consumer_groups([group])))
    result("delete the group again", lambda: one(a.delete_consumer_groups([group])))
    result("delete", lambda: one(a.delete_topics([topic])))
    result("delete again", lambda: one(a.delete_topics([topic])))


if __name__ == "__main__":
    {"produce": produce, "consume": consume, "transform": transform, "share": share, "admin": admin}[sys.argv[1]](*sys.argv[2:])
