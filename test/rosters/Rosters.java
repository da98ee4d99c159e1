import java.util.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;

/**
 * Prints what Kafka's jars say, a line each, fields between tabs:
 *   config  kind  name  type  default, or null
 *   synonym kind  name  broker config that gives the value where there is none
 *   dynamic name
 *   error   code  name
 *   api     key   name  lowest  highest version of the broker listener
 *   feature name  lowest  highest level of it
 */
public class Rosters {
    public static void main(String[] args) {
        configs("topic", org.apache.kafka.storage.internals.log.LogConfig.configDefCopy());
        configs("broker", org.apache.kafka.server.config.AbstractKafkaConfig.CONFIG_DEF);
        configs("group", org.apache.kafka.coordinator.group.GroupConfig.CONFIG_DEF);
        new TreeMap<>(org.apache.kafka.server.config.ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS).forEach(
            (name, synonyms) -> synonyms.forEach(s -> print("synonym", "topic", name, s.name())));
        new TreeMap<>(org.apache.kafka.coordinator.group.GroupConfig.ALL_GROUP_CONFIG_SYNONYMS).forEach(
            (name, synonym) -> synonym.ifPresent(s -> print("synonym", "group", name, s)));
        for (String name : new TreeSet<>(org.apache.kafka.server.config.DynamicBrokerConfig.ALL_DYNAMIC_CONFIGS))
            print("dynamic", name);
        for (Errors e : Errors.values())
            print("error", e.code(), e.name());
        for (ApiKeys k : ApiKeys.apisForListener(ApiMessageType.ListenerType.BROKER))
            k.toApiVersion(false).ifPresent(v -> print("api", k.id, k.name,
                k == ApiKeys.PRODUCE ? ApiKeys.PRODUCE_API_VERSIONS_RESPONSE_MIN_VERSION : v.minVersion(), v.maxVersion()));
        for (var f : org.apache.kafka.server.common.Feature.PRODUCTION_FEATURES)
            print("feature", f.featureName(), f.minimumProduction(), f.latestProduction());
    }

    static void configs(String kind, ConfigDef def) {
        for (ConfigDef.ConfigKey k : new TreeMap<>(def.configKeys()).values()) {
            if (k.internalConfig) continue;
            Object value = k.hasDefault() ? k.defaultValue : null;
            print("config", kind, k.name, k.type, value == null ? "null" : "\"" + ConfigDef.convertToString(value, k.type) + "\"");
        }
    }

    static void print(Object... fields) {
        StringJoiner line = new StringJoiner("\t");
        for (Object f : fields) line.add(String.valueOf(f));
        System.out.println(line);
    }
}
