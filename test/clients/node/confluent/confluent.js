// A client under test: @confluentinc/kafka-javascript, librdkafka for Node, driven by
// lines on standard input.
//
//	confluent.js produce BROKERS TOPIC CODEC IDEMPOTENT
//	confluent.js consume BROKERS GROUP TOPIC,TOPIC... PROTOCOL ISOLATION
//	confluent.js transform BROKERS GROUP FROM TO TRANSACTIONAL_ID PROTOCOL
//	confluent.js admin BROKERS PREFIX PAUSE_IN_MS
//
// The lines are described in the Go package beside this folder (line.go).
'use strict'

const readline = require('node:readline')
const { setTimeout } = require('node:timers/promises')
const { KafkaJS, AdminClient } = require('@confluentinc/kafka-javascript')

const { ErrorCodes } = KafkaJS

const say = (...fields) => process.stdout.write(fields.join('\t') + '\n')
// The client sends an empty Buffer as null, and an empty string as it is.
const decode = field => (field === '-' ? null : field === '' ? '' : Buffer.from(field, 'base64'))
const encode = data => (data === null || data === undefined ? '-' : Buffer.from(data).toString('base64'))

function decodeHeaders(field) {
  const headers = {}
  for (const pair of field.split(',').filter(Boolean)) {
    const [name, value] = pair.split(':').map(decode)
    const key = name.toString()
    headers[key] = key in headers ? [].concat(headers[key], value) : value
  }
  return headers
}

const encodeHeaders = headers =>
  Object.entries(headers ?? {})
    .flatMap(([name, values]) => [].concat(values).map(value => encode(name) + ':' + encode(value)))
    .join(',')

// Its own logger writes to standard output, where the records are.
const logger = {
  setLogLevel: () => {},
  namespace: () => logger,
  debug: () => {},
  info: () => {},
  warn: (message, more) => console.error('warn', message, more?.fac ?? ''),
  error: (message, more) => console.error('error', message, more?.fac ?? ''),
}

const kafka = brokers =>
  new KafkaJS.Kafka({ kafkaJS: { clientId: 'leat-test', brokers: brokers.split(','), logger }, 'reconnect.backoff.max.ms': 1000 })

async function produce(brokers, topic, codec, idempotent) {
  const producer = kafka(brokers).producer({ 'compression.type': codec, 'enable.idempotence': idempotent === 'true', 'linger.ms': 5 })
  await producer.connect()
  const sending = []
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [partition, timestamp, key, value, headers] = line.split('\t')
    const message = { key: decode(key), value: decode(value), headers: decodeHeaders(headers) }
    if (partition !== '-') message.partition = Number(partition)
    if (timestamp !== '-') message.timestamp = timestamp
    const n = sending.length
    sending.push(producer.send({ topic, messages: [message] }).then(([sent]) => say('ack', n, sent.partition, sent.baseOffset)))
  }
  await Promise.all(sending)
  await producer.disconnect()
}

function consumerOf(brokers, group, protocol, isolation, more = {}) {
  const config = {
    'group.id': group,
    'group.protocol': protocol,
    'auto.offset.reset': 'earliest',
    'enable.auto.commit': false,
    'isolation.level': isolation,
    'topic.metadata.refresh.interval.ms': 1000,
    ...more,
  }
  if (protocol === 'classic') Object.assign(config, { 'session.timeout.ms': 6000, 'heartbeat.interval.ms': 500 })
  return kafka(brokers).consumer(config)
}

const stopped = () => new Promise(resolve => process.stdin.on('end', resolve).resume())

const next = offset => (BigInt(offset) + 1n).toString()

// What a member may be told while the group changes: who has the partitions afterwards
// reads on from what is committed.
const leaving = ['ERR_REBALANCE_IN_PROGRESS', 'ERR_ILLEGAL_GENERATION', 'ERR_UNKNOWN_MEMBER_ID', 'ERR_STALE_MEMBER_EPOCH', 'ERR__ASSIGNMENT_LOST'].map(
  name => ErrorCodes[name],
)

// What it may be told while the broker is away: it asks again, for there may be no
// other batch after whose commit this one would not matter.
const away = [
  'ERR__TRANSPORT',
  'ERR__TIMED_OUT',
  'ERR__WAIT_COORD',
  'ERR_COORDINATOR_LOAD_IN_PROGRESS',
  'ERR_NOT_COORDINATOR',
  'ERR_COORDINATOR_NOT_AVAILABLE',
].map(name => ErrorCodes[name])

// An error in a handler only makes the client read the same again: this one ends it.
let fail
const failed = new Promise((_, reject) => (fail = reject))

async function consume(brokers, group, topics, protocol, isolation) {
  const consumer = consumerOf(brokers, group, protocol, isolation)
  await consumer.connect()
  await consumer.subscribe({ topics: topics.split(',') })
  await consumer.run({
    eachBatch: async ({ batch }) => {
      for (const r of batch.messages) {
        say('record', batch.topic, batch.partition, r.offset, r.timestamp, encode(r.key), encode(r.value), encodeHeaders(r.headers))
      }
      for (let again = true; again; ) {
        again = false
        try {
          await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset: next(batch.lastOffset()) }])
        } catch (error) {
          console.error('not committed:', error.type, error.message)
          again = away.includes(error.code)
          if (again) await setTimeout(200)
          else if (!leaving.includes(error.code)) fail(error)
        }
      }
    },
  })
  await Promise.race([stopped(), failed])
  await consumer.disconnect()
}

// Calls of a transaction wait for 5 s; after that they are to be made again.
async function insist(call) {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (error.code !== ErrorCodes.ERR__TIMED_OUT) throw error
      console.error('again:', error.message)
    }
  }
}

async function transform(brokers, group, source, target, transactionalId, protocol) {
  const consumer = consumerOf(brokers, group, protocol, 'read_committed', { 'js.consumer.max.batch.size': 20 })
  const producer = kafka(brokers).producer({
    'transactional.id': transactionalId,
    'transaction.timeout.ms': 20000,
    'socket.timeout.ms': 10000, // or it takes a minute, which is longer than a transaction may
    // librdkafka forgets the brokers that it knew when the only one is away, and then
    // never sends the offsets of a transaction that it has begun meanwhile.
    'metadata.recovery.strategy': 'none',
  })
  await producer.connect()
  await consumer.connect()
  await consumer.subscribe({ topics: [source] })
  let turn = 0
  await consumer.run({
    eachBatchAutoResolve: false, // what is not resolved is read again
    eachBatch: async ({ batch, resolveOffset }) => {
      turn++
      const messages = batch.messages.map(({ key, value }) => ({ key, value, partition: batch.partition }))
      try {
        const transaction = await producer.transaction()
        await transaction.send({ topic: target, messages })
        if (turn % 5 === 0) {
          await insist(() => transaction.abort())
          return say('aborted', messages.length)
        }
        const partitions = [{ partition: batch.partition, offset: next(batch.lastOffset()) }]
        await insist(() => transaction.sendOffsets({ consumer, topics: [{ topic: batch.topic, partitions }] }))
        await insist(() => transaction.commit())
        say('committed', messages.length)
        resolveOffset(batch.lastOffset())
      } catch (error) {
        if (error.fatal || !producer.isActive()) return fail(error)
        console.error('aborting:', error.type, error.message)
        await insist(() => producer.abort()).then(() => say('aborted', messages.length), fail)
      }
    },
  })
  await Promise.race([stopped(), failed])
  await consumer.disconnect()
  await producer.disconnect()
}

async function admin(brokers, prefix, pause) {
  const a = kafka(brokers).admin()
  await a.connect()
  // The promises have no way to make partitions; the callbacks beneath them do.
  const old = AdminClient.create({ 'bootstrap.servers': brokers }, { log: () => {} })
  const topic = prefix + '-topic'
  const group = prefix + '-group'

  // Says how a call goes, which is made again while Apache's topic is on its way.
  const result = async (what, call) => {
    for (let i = 0; ; i++) {
      try {
        const value = await call()
        say(what, 'ok')
        await setTimeout(Number(pause))
        return value
      } catch (error) {
        if (/^(describe|list)/.test(what) && i < 50) {
          await setTimeout(100)
          continue
        }
        const first = error.errors?.[0] ?? error.groups?.[0]?.error ?? error.partitions?.[0]?.error ?? error
        say(what, Object.keys(ErrorCodes).find(name => ErrorCodes[name] === first.code) ?? first.name)
        await setTimeout(Number(pause))
        return undefined
      }
    }
  }
  const create = (topic, more = {}) => a.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1, ...more }] })
  await result('create', () => create(topic, { configEntries: [{ name: 'cleanup.policy', value: 'compact,delete' }, { name: 'max.message.bytes', value: '2000' }] }))
  say('made again', await create(topic))
  await result('create with a bad name', () => create('no/such name'))
  await result('create with a bad config', () => create(topic + '-2', { configEntries: [{ name: 'no.such', value: '1' }] }))
  await result('create with three replicas', () => create(topic + '-3', { replicationFactor: 3 }))
  const more = n => () => new Promise((resolve, reject) => old.createPartitions(topic, n, 5000, error => (error ? reject(error) : resolve())))
  await result('more partitions', more(5))
  await result('fewer partitions', more(3))

  const producer = kafka(brokers).producer({ 'linger.ms': 0 })
  await producer.connect()
  for (let i = 0; i < 10; i++) await producer.send({ topic, messages: [{ key: 'k', value: String(i), partition: 0 }] })
  await result('large', () => producer.send({ topic, messages: [{ key: 'large', value: 'x'.repeat(4000), partition: 0 }] }))
  await producer.disconnect()
  const [said] = await result('describe topic', () => a.fetchTopicMetadata({ topics: [topic] }))
  say('topic', said.isInternal, said.partitions.length, said.partitions.map(p => p.leader), said.partitions.map(p => p.isr.length + p.replicas.length))
  await result('describe a topic that is not there', () => a.fetchTopicMetadata({ topics: [topic + '-none'] }))
  say('listed', (await a.listTopics()).filter(t => t.startsWith(prefix)))

  const offsets = async () => say('offsets', JSON.stringify((await result('list offsets', () => a.fetchTopicOffsets(topic))).find(o => o.partition === 0)))
  await offsets()
  const records = offset => () => a.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] })
  say('low', (await result('delete records', records('4')))[0].lowWatermark)
  await result('delete records beyond the end', records('400'))
  await offsets()
  const later = await result('list offsets by time', () => a.fetchTopicOffsetsByTimestamp(topic, 1))
  say('offsets', JSON.stringify(later.find(o => o.partition === 0)))

  const consumer = consumerOf(brokers, group, 'classic', 'read_uncommitted')
  await consumer.connect()
  await consumer.subscribe({ topics: [topic] })
  await new Promise(resolve => {
    let read = 0
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        if (++read === 6) {
          await consumer.commitOffsets([{ topic, partition, offset: next(message.offset) }])
          resolve()
        }
      },
    })
  })
  const found = (await result('describe group', () => a.describeGroups([group]))).groups[0]
  say('group', found.state, found.type, found.members.length, found.protocol, found.protocolType, found.isSimpleConsumerGroup, found.members[0].assignment.topicPartitions.length)
  await result('delete the group that has a member', () => a.deleteGroups([group]))
  await consumer.disconnect()
  const [committed] = await result('group offsets', () => a.fetchOffsets({ groupId: group, topics: [topic] }))
  say('committed', committed.partitions.filter(p => p.partition === 0).map(p => [p.offset, p.metadata]))
  say('groups', JSON.stringify((await result('list groups', () => a.listGroups())).groups.filter(g => g.groupId === group)))
  await result('delete the group', () => a.deleteGroups([group]))
  await result('delete the group again', () => a.deleteGroups([group]))
  const remove = () => a.deleteTopics({ topics: [topic], timeout: 5000 })
  await result('delete', remove)
  await result('delete again', remove)
  old.disconnect()
  await a.disconnect()
}

const modes = { produce, consume, transform, admin }
modes[process.argv[2]](...process.argv.slice(3)).then(
  () => process.exit(0),
  error => {
    console.error(error)
    process.exit(1)
  },
)
