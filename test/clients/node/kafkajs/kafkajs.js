// A client under test: KafkaJS, driven by lines on standard input.
//
//	kafkajs.js produce BROKERS TOPIC CODEC IDEMPOTENT
//	kafkajs.js consume BROKERS GROUP TOPIC,TOPIC... PROTOCOL ISOLATION
//	kafkajs.js transform BROKERS GROUP FROM TO TRANSACTIONAL_ID
//	kafkajs.js admin BROKERS PREFIX PAUSE_IN_MS
//
// The lines are described in the Go package beside this folder (line.go).
'use strict'

const readline = require('node:readline')
const { setTimeout } = require('node:timers/promises')
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, Partitioners, logLevel } = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4js')
const zstd = require('@bokuweb/zstd-wasm')

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => Buffer.from(lz4.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(lz4.decompress(buffer)),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer, { defaultHeapSize: 16 << 20 })),
})

const codecs = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }

const say = (...fields) => process.stdout.write(fields.join('\t') + '\n')
const decode = field => (field === '-' ? null : Buffer.from(field, 'base64'))
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

const client = brokers =>
  new Kafka({
    clientId: 'leat-test',
    brokers: brokers.split(','),
    logLevel: logLevel.ERROR,
    logCreator: () => ({ namespace, label, log }) => console.error(label, namespace, log.message, log.error ?? ''),
    retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 200 },
  })

async function produce(brokers, topic, codec, idempotent) {
  const producer = client(brokers).producer({
    idempotent: idempotent === 'true',
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  let waiting = []
  let sending = null
  let n = 0
  let partitions = 0
  const sendAll = async () => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, 100)
      const places = {}
      const sent = await producer.send({ topic, acks: -1, compression: codecs[codec], messages: batch.map(b => b.message) })
      for (const { partition, baseOffset } of sent) places[partition] = BigInt(baseOffset)
      if (sent.length === 1) {
        batch.forEach((b, i) => say('ack', b.n, sent[0].partition, places[sent[0].partition] + BigInt(i)))
      } else {
        for (const b of batch) {
          const at = b.message.partition ?? chosen(topic, partitions, b.message)
          say('ack', b.n, at, places[at]++)
        }
      }
    }
    sending = null
  }
  // KafkaJS does not say where single records of a request went: the partitioner says it.
  const partitioner = Partitioners.DefaultPartitioner()
  const chosen = (topic, count, message) =>
    partitioner({ topic, message, partitionMetadata: Array.from({ length: count }, (_, i) => ({ partitionId: i, leader: 1 })) })
  const admin = client(brokers).admin()
  await admin.connect()
  partitions = (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length
  await admin.disconnect()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [partition, timestamp, key, value, headers] = line.split('\t')
    const message = { key: decode(key), value: decode(value), headers: decodeHeaders(headers) }
    if (partition !== '-') message.partition = Number(partition)
    if (timestamp !== '-') message.timestamp = timestamp
    waiting.push({ n: n++, message })
    sending ??= sendAll()
  }
  while (sending) await sending
  await producer.disconnect()
}

const consumerOf = (brokers, group, isolation) =>
  client(brokers).consumer({
    groupId: group,
    sessionTimeout: 6000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 200,
    metadataMaxAge: 1000,
    readUncommitted: isolation !== 'read_committed',
  })

const stopped = () => new Promise(resolve => process.stdin.on('end', resolve).resume())

const next = offset => (BigInt(offset) + 1n).toString()

async function consume(brokers, group, topics, protocol, isolation) {
  const consumer = consumerOf(brokers, group, isolation)
  await consumer.connect()
  await consumer.subscribe({ topics: topics.split(','), fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 1,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset }) => {
      for (const r of batch.messages) {
        say('record', batch.topic, batch.partition, r.offset, r.timestamp, encode(r.key), encode(r.value), encodeHeaders(r.headers))
        resolveOffset(r.offset)
      }
      try {
        await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset: next(batch.lastOffset()) }])
      } catch (error) {
        if (error.retriable === false && error.type === undefined) throw error
        console.error('not committed:', error.message)
        throw error // KafkaJS joins again where it has to
      }
    },
  })
  await stopped()
  await consumer.disconnect()
}

async function transform(brokers, group, source, target, transactionalId) {
  const consumer = consumerOf(brokers, group, 'read_committed')
  const producer = client(brokers).producer({
    transactionalId,
    idempotent: true,
    maxInFlightRequests: 1,
    transactionTimeout: 20000,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  await consumer.connect()
  await consumer.subscribe({ topics: [source], fromBeginning: true })
  let turn = 0
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, isRunning, isStale, heartbeat }) => {
      for (let at = 0; at < batch.messages.length && isRunning() && !isStale(); ) {
        const portion = batch.messages.slice(at, at + 20)
        turn++
        let transaction
        try {
          transaction = await producer.transaction()
          await transaction.send({
            topic: target,
            messages: portion.map(({ key, value }) => ({ key, value, partition: batch.partition })),
          })
          if (turn % 5 === 0) {
            await transaction.abort()
            say('aborted', portion.length)
            continue
          }
          const last = portion[portion.length - 1].offset
          await transaction.sendOffsets({
            consumerGroupId: group,
            topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset: next(last) }] }],
          })
          await transaction.commit()
          say('committed', portion.length)
          resolveOffset(last)
          at += portion.length
        } catch (error) {
          // While the broker is away KafkaJS gives up early, by an error that ends the
          // member: the same records are tried again here.
          console.error('aborting:', error.message)
          while (transaction?.isActive()) {
            await transaction.abort().catch(error => console.error('not yet aborted:', error.message))
          }
          say('aborted', portion.length)
        }
        await heartbeat()
      }
    },
  })
  await stopped()
  await consumer.disconnect()
  await producer.disconnect()
}

async function admin(brokers, prefix, pause) {
  const a = client(brokers).admin({ retry: { retries: 0 } })
  await a.connect()
  const topic = prefix + '-topic'
  const group = prefix + '-group'
  const result = async (what, promise) => {
    try {
      const value = await promise
      say(what, 'ok')
      return value
    } catch (error) {
      const first = error.errors?.[0] ?? error.groups?.[0]?.error ?? error.cause ?? error
      say(what, first.type ?? first.name)
      return undefined
    } finally {
      await setTimeout(Number(pause))
    }
  }
  const create = (topic, more = {}) => a.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 2, ...more }] })
  await result('create', create(topic, { configEntries: [{ name: 'cleanup.policy', value: 'compact' }, { name: 'retention.ms', value: '1000' }] }))
  say('made again', await create(topic))
  await result('create with a bad name', create('no/such name'))
  await result('create with a bad config', create(topic + '-2', { configEntries: [{ name: 'no.such', value: '1' }] }))
  await result('create with three replicas', create(topic + '-3', { replicationFactor: 3 }))

  const configs = async () => {
    const found = await result('describe configs', a.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] }))
    for (const name of ['cleanup.policy', 'retention.ms', 'max.message.bytes', 'compression.type']) {
      const entry = found.resources[0].configEntries.find(e => e.configName === name)
      say('config', name, entry.configValue, entry.configSource, entry.readOnly, entry.isSensitive)
    }
  }
  await configs()
  await result('alter configs', a.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'max.message.bytes', value: '2000' }] }] }))
  await configs()
  await result('more partitions', a.createPartitions({ topicPartitions: [{ topic, count: 5 }] }))
  await result('fewer partitions', a.createPartitions({ topicPartitions: [{ topic, count: 3 }] }))

  const producer = client(brokers).producer({ createPartitioner: Partitioners.DefaultPartitioner, retry: { retries: 0 } })
  await producer.connect()
  for (let i = 0; i < 10; i++) await producer.send({ topic, messages: [{ key: 'k', value: String(i), partition: 0 }] })
  await result('large', producer.send({ topic, messages: [{ key: 'large', value: 'x'.repeat(4000), partition: 0 }] }))
  await producer.disconnect()
  const said = (await a.fetchTopicMetadata({ topics: [topic] })).topics[0]
  say('topic', said.partitions.length, said.partitions.map(p => p.leader).sort())
  const offsets = async () => {
    for (;;) {
      try {
        return say('offsets', JSON.stringify((await a.fetchTopicOffsets(topic)).find(o => o.partition === 0)))
      } catch (error) {
        if (!error.retriable) throw error // Apache's new partitions take a moment
      }
    }
  }
  await offsets()
  await result('delete records', a.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] }))
  await offsets()

  const consumer = consumerOf(brokers, group)
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await new Promise(resolve => {
    let read = 0
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (++read === 6) {
          await consumer.commitOffsets([{ topic, partition, offset: next(message.offset) }])
          resolve()
        }
      },
    })
  })
  const found = (await result('describe group', a.describeGroups([group]))).groups[0]
  say('group', found.state, found.members.length, found.protocol, found.protocolType)
  await result('delete the group that has a member', a.deleteGroups([group]))
  await consumer.disconnect()
  const committed = async () => say('committed', JSON.stringify((await result('group offsets', a.fetchOffsets({ groupId: group, topics: [topic] })))[0].partitions.find(p => p.partition === 0)))
  await committed()
  await result('alter group offsets', a.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '5' }] }))
  await committed()
  say('groups', JSON.stringify((await a.listGroups()).groups.filter(g => g.groupId === group)))
  await result('delete the group', a.deleteGroups([group]))
  await result('delete the group again', a.deleteGroups([group]))
  await result('delete', a.deleteTopics({ topics: [topic], timeout: 5000 }))
  await result('delete again', a.deleteTopics({ topics: [topic], timeout: 5000 }))
  await a.disconnect()
}

const modes = { produce, consume, transform, admin }
zstd
  .init()
  .then(() => modes[process.argv[2]](...process.argv.slice(3)))
  .then(
    () => process.exit(0),
    error => {
      console.error(error)
      process.exit(1)
    },
  )
