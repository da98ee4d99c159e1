import java.lang.reflect.Modifier;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/**
 * Calls a method of Java's Admin client and prints what it returns: of what fails, the
 * exception's class. Runs inside Tools; "Calls SERVERS METHOD ARGUMENTS...". With "methods"
 * for the method it prints the names of all that there are.
 */
public final class Calls {
    private static final Map<String, Admin> ADMINS = new ConcurrentHashMap<>();

    public static void main(String[] args) throws Exception {
        String method = args[1];
        String[] a = Arrays.copyOfRange(args, 2, args.length);
        if (method.equals("methods")) {
            new TreeSet<>(Arrays.stream(Admin.class.getMethods()).filter(m -> Modifier.isAbstract(m.getModifiers())).map(m -> m.getName()).toList())
                .forEach(System.out::println);
            return;
        }
        Admin admin = ADMINS.computeIfAbsent(args[0], servers ->
            Admin.create(Map.of("bootstrap.servers", servers, "default.api.timeout.ms", 5000, "request.timeout.ms", 4000)));
        Object got;
        try {
            got = call(admin, method, a);
        } catch (RuntimeException e) { // some calls are refused by the client itself
            got = e;
        } catch (ExecutionException e) {
            got = e.getCause();
        }
        print("", got);
    }

    /** What a result is, one line for each thing that a future or a map has. */
    private static void print(String name, Object value) throws Exception {
        if (value instanceof KafkaFuture) {
            try {
                value = ((KafkaFuture<?>) value).get(20, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                value = e.getCause();
            }
        }
        if (value instanceof Throwable) {
            System.out.println(name + "failed: " + value.getClass().getSimpleName());
        } else if (value instanceof Optional) {
            print(name, ((Optional<?>) value).orElse(null));
        } else if (value instanceof Map) {
            Map<String, Object> sorted = new TreeMap<>();
            ((Map<?, ?>) value).forEach((k, v) -> sorted.put(k.toString(), v));
            if (sorted.isEmpty())
                System.out.println(name + "nothing");
            for (Map.Entry<String, Object> e : sorted.entrySet())
                print(name + e.getKey() + ": ", e.getValue());
        } else if (value instanceof Collection) {
            System.out.println(name + new TreeSet<>(((Collection<?>) value).stream().map(Object::toString).toList()));
        } else {
            System.out.println(name + value);
        }
    }

    private static <K, V> Map<K, KafkaFuture<V>> each(Collection<K> keys, Function<K, KafkaFuture<V>> result) {
        Map<K, KafkaFuture<V>> all = new java.util.HashMap<>();
        for (K k : keys)
            all.put(k, result.apply(k));
        return all;
    }

    /** "topic-partition" */
    private static TopicPartition partition(String text) {
        int at = text.lastIndexOf('-');
        return new TopicPartition(text.substring(0, at), Integer.parseInt(text.substring(at + 1)));
    }

    private static List<TopicPartition> partitions(String[] a, int from) {
        return Arrays.stream(a).skip(from).map(Calls::partition).toList();
    }

    private static ConfigResource resource(String type, String name) {
        return new ConfigResource(ConfigResource.Type.valueOf(type), name);
    }

    private static Map<String, String> set(Config config) {
        Map<String, String> some = new TreeMap<>();
        for (ConfigEntry e : config.entries())
            if (!e.isDefault() && e.source() != ConfigEntry.ConfigSource.STATIC_BROKER_CONFIG && e.source() != ConfigEntry.ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG)
                some.put(e.name(), e.value() + " " + e.source() + (e.isReadOnly() ? " read-only" : "") + (e.isSensitive() ? " sensitive" : ""));
        return some;
    }

    private static Object call(Admin admin, String method, String[] a) throws Exception {
        List<String> all = List.of(a);
        switch (method) {
            // Topics and records
            case "createTopics": { // validate?, topic:partitions:replicas...
                List<NewTopic> topics = all.stream().skip(1).map(t -> t.split(":")).map(f -> new NewTopic(f[0], Integer.parseInt(f[1]), Short.parseShort(f[2]))
                    .configs(Map.of("retention.ms", "-1"))).toList();
                CreateTopicsResult got = admin.createTopics(topics, new CreateTopicsOptions().validateOnly(Boolean.parseBoolean(a[0])));
                return each(got.values().keySet(), name -> got.numPartitions(name).thenApply(n -> n + " partitions"));
            }
            case "deleteTopics":
                return admin.deleteTopics(all).topicNameValues();
            case "deleteTopicsById":
                return admin.deleteTopics(TopicCollection.ofTopicIds(List.of(Uuid.fromString(a[0])))).topicIdValues();
            case "listTopics":
                return admin.listTopics(new ListTopicsOptions().listInternal(Boolean.parseBoolean(a[0]))).namesToListings();
            case "describeTopics":
                return admin.describeTopics(all, new DescribeTopicsOptions().includeAuthorizedOperations(true)).topicNameValues();
            case "describeTopicsById":
                return admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.fromString(a[0])))).topicIdValues();
            case "createPartitions": // topic count...
                return admin.createPartitions(Map.of(a[0], NewPartitions.increaseTo(Integer.parseInt(a[1])))).values();
            case "deleteRecords": // offset partition...
                return each(partitions(a, 1), p -> admin.deleteRecords(Map.of(p, RecordsToDelete.beforeOffset(Long.parseLong(a[0])))).lowWatermarks().get(p)
                    .thenApply(d -> "low watermark " + d.lowWatermark()));
            case "listOffsets": { // latest|earliest|max|local|tiered|TIME partition...
                OffsetSpec spec = switch (a[0]) {
                    case "latest" -> OffsetSpec.latest();
                    case "earliest" -> OffsetSpec.earliest();
                    case "max" -> OffsetSpec.maxTimestamp();
                    case "local" -> OffsetSpec.earliestLocal();
                    case "tiered" -> OffsetSpec.latestTiered();
                    default -> OffsetSpec.forTimestamp(Long.parseLong(a[0]));
                };
                return each(partitions(a, 1), p -> admin.listOffsets(Map.of(p, spec)).partitionResult(p));
            }

            // The cluster
            case "describeCluster": {
                DescribeClusterResult got = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
                return Map.of("nodes", got.nodes(), "controller", got.controller(), "cluster", got.clusterId(), "operations", got.authorizedOperations());
            }
            case "describeLogDirs":
                return each(admin.describeLogDirs(List.of(1)).descriptions().keySet(), b -> admin.describeLogDirs(List.of(b)).descriptions().get(b)
                    .thenApply(dirs -> dirs.size() + " directory, error " + dirs.values().iterator().next().error()
                        + ", replica of " + a[0] + ": " + dirs.values().iterator().next().replicaInfos().get(partition(a[0]))));
            case "describeReplicaLogDirs": {
                TopicPartition p = partition(a[0]);
                return admin.describeReplicaLogDirs(List.of(new TopicPartitionReplica(p.topic(), p.partition(), 1))).values();
            }
            case "alterReplicaLogDirs": {
                TopicPartition p = partition(a[0]);
                return admin.alterReplicaLogDirs(Map.of(new TopicPartitionReplica(p.topic(), p.partition(), 1), a[1])).values();
            }
            case "electLeaders":
                return admin.electLeaders(ElectionType.valueOf(a[0]), Set.copyOf(partitions(a, 1))).partitions();
            case "alterPartitionReassignments": // partition replica...
                return admin.alterPartitionReassignments(Map.of(partition(a[0]), a.length == 1 ? Optional.empty()
                    : Optional.of(new NewPartitionReassignment(all.stream().skip(1).map(Integer::valueOf).toList())))).values();
            case "listPartitionReassignments":
                return admin.listPartitionReassignments().reassignments();
            case "describeFeatures":
                return admin.describeFeatures().featureMetadata().thenApply(f -> Map.of("finalized", f.finalizedFeatures(), "supported", f.supportedFeatures()));
            case "updateFeatures":
                return admin.updateFeatures(Map.of(a[0], new FeatureUpdate(Short.parseShort(a[1]), FeatureUpdate.UpgradeType.valueOf(a[2]))), new UpdateFeaturesOptions()).values();
            case "describeMetadataQuorum":
                return admin.describeMetadataQuorum().quorumInfo().thenApply(q -> "leader " + q.leaderId() + ", voters " + q.voters().size() + ", observers " + q.observers().size());
            case "unregisterBroker":
                return admin.unregisterBroker(Integer.parseInt(a[0])).all();
            case "addRaftVoter":
                return admin.addRaftVoter(7, Uuid.ONE_UUID, Set.of(new RaftVoterEndpoint("CONTROLLER", "127.0.0.1", 9))).all();
            case "removeRaftVoter":
                return admin.removeRaftVoter(7, Uuid.ONE_UUID).all();

            // Configs and quotas
            case "describeConfigs": { // type name
                ConfigResource r = resource(a[0], a[1]);
                return admin.describeConfigs(List.of(r)).values().get(r).thenApply(Calls::set);
            }
            case "incrementalAlterConfigs": // type name OP key value
                return admin.incrementalAlterConfigs(Map.of(resource(a[0], a[1]), List.of(
                    new AlterConfigOp(new ConfigEntry(a[3], a.length > 4 ? a[4] : ""), AlterConfigOp.OpType.valueOf(a[2]))))).values();
            case "listConfigResources":
                return admin.listConfigResources(Set.of(ConfigResource.Type.valueOf(a[0])), new ListConfigResourcesOptions()).all();
            case "listClientMetricsResources":
                return listClientMetrics(admin);
            case "describeClientQuotas":
                return admin.describeClientQuotas(ClientQuotaFilter.all()).entities();
            case "alterClientQuotas": // client key value|remove
                return admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, a[0])),
                    List.of(new ClientQuotaAlteration.Op(a[1], a[2].equals("remove") ? null : Double.valueOf(a[2])))))).values();
            case "clientInstanceId":
                return admin.clientInstanceId(Duration.ofSeconds(2));

            // Groups of every kind
            case "listGroups":
                return admin.listGroups().all();
            case "listConsumerGroups":
                return listConsumerGroups(admin);
            case "describeConsumerGroups":
                return admin.describeConsumerGroups(all, new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true)).describedGroups();
            case "describeClassicGroups":
                return admin.describeClassicGroups(all).describedGroups();
            case "describeShareGroups":
                return admin.describeShareGroups(all).describedGroups();
            case "describeStreamsGroups":
                return admin.describeStreamsGroups(all).describedGroups();
            case "listConsumerGroupOffsets":
                return admin.listConsumerGroupOffsets(a[0]).partitionsToOffsetAndMetadata();
            case "listShareGroupOffsets":
                return admin.listShareGroupOffsets(Map.of(a[0], new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(a[0]);
            case "listStreamsGroupOffsets":
                return admin.listStreamsGroupOffsets(Map.of(a[0], new ListStreamsGroupOffsetsSpec())).partitionsToOffsetAndMetadata(a[0]);
            case "alterConsumerGroupOffsets": // group offset partition...
                return each(partitions(a, 2), p -> admin.alterConsumerGroupOffsets(a[0], Map.of(p, new OffsetAndMetadata(Long.parseLong(a[1])))).partitionResult(p));
            case "alterShareGroupOffsets":
                return each(partitions(a, 2), p -> admin.alterShareGroupOffsets(a[0], Map.of(p, Long.parseLong(a[1]))).partitionResult(p));
            case "alterStreamsGroupOffsets":
                return each(partitions(a, 2), p -> admin.alterStreamsGroupOffsets(a[0], Map.of(p, new OffsetAndMetadata(Long.parseLong(a[1])))).partitionResult(p));
            case "deleteConsumerGroupOffsets": // group partition...
                return each(partitions(a, 1), p -> admin.deleteConsumerGroupOffsets(a[0], Set.of(p)).partitionResult(p));
            case "deleteShareGroupOffsets": // group topic
                return admin.deleteShareGroupOffsets(a[0], Set.of(a[1])).topicResult(a[1]);
            case "deleteStreamsGroupOffsets":
                return each(partitions(a, 1), p -> admin.deleteStreamsGroupOffsets(a[0], Set.of(p)).partitionResult(p));
            case "deleteConsumerGroups":
                return admin.deleteConsumerGroups(all).deletedGroups();
            case "deleteShareGroups":
                return admin.deleteShareGroups(all).deletedGroups();
            case "deleteStreamsGroups":
                return admin.deleteStreamsGroups(all).deletedGroups();
            case "removeMembersFromConsumerGroup": // group [instance]
                return admin.removeMembersFromConsumerGroup(a[0], a.length == 1 ? new RemoveMembersFromConsumerGroupOptions()
                    : new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove(a[1])))).all();

            // Transactions
            case "listTransactions":
                return admin.listTransactions().all();
            case "describeTransactions":
                return each(all, id -> admin.describeTransactions(List.of(id)).description(id)
                    .thenApply(d -> d.state() + ", timeout " + d.transactionTimeoutMs() + ", " + d.topicPartitions() + ", begun: " + d.transactionStartTimeMs().isPresent()));
            case "describeProducers":
                return each(partitions(a, 0), p -> admin.describeProducers(List.of(p)).partitionResult(p).thenApply(d -> d.activeProducers().stream()
                    .map(s -> "epoch " + s.producerEpoch() + ", sequence " + s.lastSequence() + ", open from " + s.currentTransactionStartOffset()).toList()));
            case "fenceProducers":
                return each(all, id -> admin.fenceProducers(List.of(id)).epochId(id).thenApply(e -> "epoch " + e));
            case "forceTerminateTransaction":
                return admin.forceTerminateTransaction(a[0]).result();
            case "abortTransaction": { // partition
                TopicPartition p = partition(a[0]);
                ProducerState s = admin.describeProducers(List.of(p)).partitionResult(p).get().activeProducers().iterator().next();
                return admin.abortTransaction(new AbortTransactionSpec(p, s.producerId(), (short) s.producerEpoch(), s.coordinatorEpoch().orElse(0))).all();
            }

            // Users, rules, tokens
            case "describeAcls":
                return admin.describeAcls(AclBindingFilter.ANY).values();
            case "createAcls":
                return admin.createAcls(List.of(new AclBinding(new ResourcePattern(ResourceType.TOPIC, a[0], PatternType.LITERAL),
                    new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW)))).all();
            case "deleteAcls":
                return admin.deleteAcls(List.of(AclBindingFilter.ANY)).all();
            case "describeUserScramCredentials":
                return admin.describeUserScramCredentials().all();
            case "alterUserScramCredentials":
                return admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion(a[0], ScramMechanism.SCRAM_SHA_256))).values();
            case "createDelegationToken":
                return admin.createDelegationToken().delegationToken();
            case "renewDelegationToken":
                return admin.renewDelegationToken(new byte[] {1}).expiryTimestamp();
            case "expireDelegationToken":
                return admin.expireDelegationToken(new byte[] {1}).expiryTimestamp();
            case "describeDelegationToken":
                return admin.describeDelegationToken().delegationTokens();
            default:
                throw new AssertionError("there is no call " + method);
        }
    }

    @SuppressWarnings({"deprecation", "removal"})
    private static Object listConsumerGroups(Admin admin) {
        return admin.listConsumerGroups().all();
    }

    @SuppressWarnings({"deprecation", "removal"})
    private static Object listClientMetrics(Admin admin) {
        return admin.listClientMetricsResources().all();
    }
}
