package divergence

import "strings"

// Roster is what a list of names has that Kafka's has not, the other way round, or
// otherwise.
type Roster struct {
	// List is what the names are of: "topic config", "broker config", "group
	// config", "error", "api" or "feature".
	List string
	// How they differ: "missing" (Kafka alone has it), "extra" (Leat alone),
	// or the property that is another one: "type", "default", "dynamic", "synonyms",
	// "versions", "levels", "name".
	How string
	// Names of the entries, separated by blanks; an error's or key's is its number.
	Names string
	// Because is why.
	Because string
}

// Each yields the names one by one.
func (r Roster) Each() []string { return strings.Fields(r.Names) }

// Inert is why broker configs that a start accepts are not described: the broker
// takes any of Kafka's names that promises nothing.
const Inert = "taken at start, so that files and command lines made for Kafka work, and named in the log as being without effect; what they tune does not exist here"

// InRosters are all of them.
var InRosters = []Roster{
	{
		List: "broker config", How: "missing", Because: "refused at start: there is no authentication, encryption or ACLs yet, and taking these would promise it",
		Names: `authorizer.class.name listener.security.protocol.map sasl.client.callback.handler.class sasl.enabled.mechanisms sasl.jaas.config sasl.kerberos.kinit.cmd
			sasl.kerberos.min.time.before.relogin sasl.kerberos.principal.to.local.rules sasl.kerberos.service.name sasl.kerberos.ticket.renew.jitter
			sasl.kerberos.ticket.renew.window.factor sasl.login.callback.handler.class sasl.login.class sasl.login.connect.timeout.ms sasl.login.read.timeout.ms
			sasl.login.refresh.buffer.seconds sasl.login.refresh.min.period.seconds sasl.login.refresh.window.factor sasl.login.refresh.window.jitter
			sasl.login.retry.backoff.max.ms sasl.login.retry.backoff.ms sasl.mechanism.controller.protocol sasl.mechanism.inter.broker.protocol
			sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.iss
			sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file
			sasl.oauthbearer.assertion.private.key.file sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.template.file
			sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.clock.skew.seconds
			sasl.oauthbearer.expected.audience sasl.oauthbearer.expected.issuer sasl.oauthbearer.jwks.endpoint.refresh.ms sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms
			sasl.oauthbearer.jwks.endpoint.retry.backoff.ms sasl.oauthbearer.jwks.endpoint.url sasl.oauthbearer.jwt.retriever.class sasl.oauthbearer.jwt.validator.class
			sasl.oauthbearer.scope sasl.oauthbearer.scope.claim.name sasl.oauthbearer.sub.claim.name sasl.oauthbearer.token.endpoint.url sasl.server.callback.handler.class
			sasl.server.max.receive.size security.inter.broker.protocol security.providers ssl.allow.dn.changes ssl.allow.san.changes ssl.cipher.suites ssl.client.auth
			ssl.enabled.protocols ssl.endpoint.identification.algorithm ssl.engine.factory.class ssl.key.password ssl.keymanager.algorithm ssl.keystore.certificate.chain
			ssl.keystore.key ssl.keystore.location ssl.keystore.password ssl.keystore.type ssl.principal.mapping.rules ssl.protocol ssl.provider
			ssl.secure.random.implementation ssl.trustmanager.algorithm ssl.truststore.certificates ssl.truststore.location ssl.truststore.password ssl.truststore.type`,
	},
	{
		List: "broker config", How: "missing", Because: "refused at start: there are no delegation tokens",
		Names: `delegation.token.expiry.check.interval.ms delegation.token.expiry.time.ms delegation.token.max.lifetime.ms delegation.token.secret.key`,
	},
	{
		List: "broker config", How: "missing", Because: "refused at start: it names a Java class, which nothing here can load",
		Names: `alter.config.policy.class.name client.quota.callback.class create.topic.policy.class.name principal.builder.class`,
	},
	{
		List: "broker config", How: "missing", Because: "refused at start: the data directory is `--data`",
		Names: `log.dir log.dirs`,
	},
	{
		List: "broker config", How: "missing", Because: "refused at start: all listeners open together, when the broker is ready",
		Names: `early.start.listeners`,
	},
	{
		List: "broker config", How: "extra", Because: "Leat's own: stored data is read again, to find damage before it is needed",
		Names: `leat.scrub.bytes.per.second leat.scrub.interval.ms`,
	},
	{
		List: "broker config", How: "dynamic", Because: "listeners are opened once, at the start",
		Names: `listeners`,
	},
	{
		List: "broker config", How: "dynamic", Because: "read once, at the start",
		Names: `producer.id.expiration.ms`,
	},
	{
		List: "topic config", How: "synonyms", Because: "the broker config that stands in has no effect here, and is not described",
		Names: `flush.ms`,
	},
	{
		List: "error", How: "name", Because: "the number is what is sent; the library's name is the one before the last renaming",
		Names: `6`,
	},
	{
		List: "error", How: "extra", Because: "Kafka 4.4's, which are never sent",
		Names: `134 135 136`,
	},
	{
		List: "topic config", How: "extra", Because: "of Kafka 4.4: dead letters of share groups (KIP-1191)",
		Names: `errors.deadletterqueue.group.enable`,
	},
	{
		List: "broker config", How: "extra", Because: "of Kafka 4.4: dead letters of share groups (KIP-1191)",
		Names: `errors.deadletterqueue.auto.create.topics.enable errors.deadletterqueue.topic.name.prefix`,
	},
	{
		List: "broker config", How: "default", Because: "a lock of a share group may last for 24 h: handlers may take hours",
		Names: `group.share.max.record.lock.duration.ms`,
	},
	{
		List: "group config", How: "extra", Because: "of Kafka 4.4: dead letters of share groups (KIP-1191)",
		Names: `errors.deadletterqueue.topic.name errors.deadletterqueue.copy.record.enable`,
	},
	{
		List: "group config", How: "extra", Because: "Leat's own: records that are released come again after a while, and dead letters do not flood",
		Names: `share.release.backoff.min.ms share.release.backoff.max.ms share.release.backoff.multiplier share.dlq.breaker.records share.dlq.breaker.pause.ms`,
	},
	{
		List: "group config", How: "missing", Because: "share groups are assigned at once, when a member comes or goes",
		Names: `share.assignment.interval.ms`,
	},
	{
		List: "group config", How: "missing", Because: "there are no Streams groups (KIP-1071)",
		Names: `streams.assignment.interval.ms streams.heartbeat.interval.ms streams.initial.rebalance.delay.ms streams.num.standby.replicas streams.session.timeout.ms`,
	},
	{
		List: "api", How: "versions", Because: "the range of Kafka 4.4; 4.3.1 ends one version below",
		Names: `18 28 42`,
	},
	{
		List: "api", How: "missing", Because: "there is one node: only brokers and controllers use it among themselves",
		Names: `80 81 83 84 85 86 87`,
	},
	{
		List: "api", How: "missing", Because: "there are no users and no access rules yet",
		Names: `17 29 30 31 36 50 51`,
	},
	{
		List: "api", How: "missing", Because: "replicas do not move: there is one data directory",
		Names: `34`,
	},
	{
		List: "api", How: "missing", Because: "there are no delegation tokens",
		Names: `38 39 40 41`,
	},
	{
		List: "api", How: "missing", Because: "telemetry has no receiver here; Kafka leaves the keys out, too, as long as none is configured",
		Names: `71 72`,
	},
	{
		List: "api", How: "missing", Because: "Streams groups (KIP-1071): Kafka Streams uses classic groups unless it is told otherwise",
		Names: `88 89`,
	},
	{
		List: "feature", How: "levels", Because: "2 as in Kafka 4.4: dead letters of share groups (KIP-1191)",
		Names: `share.version`,
	},
	{
		List: "feature", How: "missing", Because: "there is no KRaft quorum, and no set of eligible leader replicas",
		Names: `kraft.version eligible.leader.replicas.version`,
	},
	{
		List: "feature", How: "missing", Because: "there are no Streams groups (KIP-1071)",
		Names: `streams.version`,
	},
}
