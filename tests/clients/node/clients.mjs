// Kubernetes' JavaScript client against the apiserver: kinds, patches, errors, watches and an informer. A line per check; ends
// with 1 and what it saw as soon as one does not hold. tests/e2e/clients_node.sh runs it. KUBECONFIG says where; COMPACT is a
// shell command that compacts the store, SECONDS_LONG how long the informer runs, with a compaction every COMPACT_EVERY seconds.
import { execFileSync } from 'node:child_process'
import * as k8s from '@kubernetes/client-node'
import WebSocket from 'ws' // which that one brings

const space = 'node-client'
const say = (text) => console.log(`  ok ${text}`)
const fail = (text) => {
  console.log(`FAILED: ${text}`)
  process.exit(1)
}
const hold = (condition, what, saw) => condition || fail(`${what}: ${JSON.stringify(saw)}`)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const until = async (seconds, what, condition) => {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await pause(20)) if (await condition()) return
  fail(`${what}: not within ${seconds} s`)
}
const compact = () => execFileSync('bash', ['-c', process.env.COMPACT], { stdio: ['ignore', 'ignore', 'inherit'] })
process.on('unhandledRejection', (error) => fail(`unhandled: ${error?.stack ?? error}`))

const config = new k8s.KubeConfig()
config.loadFromFile(process.env.KUBECONFIG)
const core = config.makeApiClient(k8s.CoreV1Api)
const apps = config.makeApiClient(k8s.AppsV1Api)
const batch = config.makeApiClient(k8s.BatchV1Api)
const rbac = config.makeApiClient(k8s.RbacAuthorizationV1Api)
const generic = k8s.KubernetesObjectApi.makeApiClient(config)

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'example:1' }] } }
const never = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } }
const named = (name) => ({ name, labels: { app: 'web' } })

// One kind through all verbs: `of` is what the generated API calls it.
const kind = async (api, of, body) => {
  const name = body.metadata.name
  const at = { namespace: space, name }
  const call = (verb, ...rest) => api[`${verb}Namespaced${of}`](...rest)
  const created = await call('create', { namespace: space, body })
  hold(created.metadata.uid && created.metadata.creationTimestamp instanceof Date, `${of} created`, created.metadata)
  for (let attempt = 0; ; attempt++) {
    const read = await call('read', at)
    read.metadata.annotations = { changed: 'yes' }
    try {
      const replaced = await call('replace', { ...at, body: read })
      hold(replaced.metadata.annotations.changed === 'yes' && replaced.metadata.resourceVersion !== read.metadata.resourceVersion, `${of} replaced`, replaced.metadata)
      break
    } catch (error) {
      if (error.code !== 409 || attempt > 10) throw error
    }
  }
  const list = await call('list', { namespace: space, labelSelector: 'app=web', fieldSelector: `metadata.name=${name}` })
  hold(list.items.length === 1 && list.items[0].metadata.annotations.changed === 'yes', `${of} listed`, list)
  await call('delete', { ...at, propagationPolicy: 'Background', gracePeriodSeconds: 0 })
  await until(10, `${of} goes`, () => call('read', at).then(() => false, (error) => error.code === 404))
}

const kinds = async () => {
  await kind(core, 'ConfigMap', { metadata: named('cm'), data: { a: 'ä\n"1"' }, binaryData: { b: 'AAH+/w==' } })
  await kind(core, 'Secret', { metadata: named('secret'), stringData: { password: 'p' } })
  await kind(core, 'Service', { metadata: named('svc'), spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] } })
  await kind(core, 'ServiceAccount', { metadata: named('sa') })
  await kind(core, 'Pod', { metadata: named('pod'), spec: template.spec })
  await kind(apps, 'Deployment', { metadata: named('web'), spec: { replicas: 0, selector: { matchLabels: { app: 'web' } }, template } })
  await kind(apps, 'StatefulSet', { metadata: named('db'), spec: { replicas: 0, serviceName: 'db', selector: { matchLabels: { app: 'web' } }, template } })
  await kind(batch, 'Job', { metadata: named('job'), spec: { suspend: true, template: never } })
  await kind(batch, 'CronJob', { metadata: named('cron'), spec: { schedule: '0 4 * * 1', suspend: true, jobTemplate: { spec: { template: never } } } })
  await kind(rbac, 'Role', { metadata: named('role'), rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] })
  say('ten kinds: create, read, replace, list, delete')
}

const patches = async () => {
  const spec = { replicas: 0, selector: { matchLabels: { app: 'web' } }, template }
  await apps.createNamespacedDeployment({ namespace: space, body: { metadata: named('patched'), spec } })
  const patch = (strategy, body, more = {}) =>
    apps.patchNamespacedDeployment({ namespace: space, name: 'patched', body, ...more }, k8s.setHeaderOptions('Content-Type', strategy))
  const s = k8s.PatchStrategy
  const byDefault = await apps.patchNamespacedDeployment({ namespace: space, name: 'patched', body: [{ op: 'add', path: '/metadata/labels/d', value: '0' }] })
  hold(byDefault.metadata.labels.d === '0', 'a list of operations without a type', byDefault.metadata)
  const json = await patch(s.JsonPatch, [{ op: 'test', path: '/spec/replicas', value: 0 }, { op: 'add', path: '/metadata/labels/j', value: '1' }])
  hold(json.metadata.labels.j === '1', 'json patch', json.metadata)
  const merge = await patch(s.MergePatch, { metadata: { labels: { j: null, m: '2' } } })
  hold(merge.metadata.labels.j === undefined && merge.metadata.labels.m === '2', 'merge patch', merge.metadata)
  const strategic = await patch(s.StrategicMergePatch, { spec: { template: { spec: { containers: [{ name: 'side', image: 'example:2' }] } } } })
  hold(strategic.spec.template.spec.containers.length === 2, 'strategic patch', strategic.spec.template)
  const apply = await patch(s.ServerSideApply, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'patched' }, spec: { minReadySeconds: 3 } }, { fieldManager: 'node' })
  hold(apply.spec.minReadySeconds === 3 && apply.metadata.managedFields.some((f) => f.manager === 'node' && f.operation === 'Apply'), 'apply', apply.metadata)
  const other = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'patched' }, spec: { minReadySeconds: 4 } }
  const refused = await patch(s.ServerSideApply, other, { fieldManager: 'other' }).then(() => fail('no conflict'), (error) => error)
  hold(refused.code === 409 && JSON.parse(refused.body).details.causes[0].field === '.spec.minReadySeconds', 'conflict', refused.body)
  const forced = await patch(s.ServerSideApply, other, { fieldManager: 'other', force: true })
  hold(forced.spec.minReadySeconds === 4, 'force', forced.spec)
  say('patches: json, merge, strategic, apply; its conflict and force')

  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'generic', namespace: space }, data: { a: '1' } }
  await generic.create(object)
  const changed = await generic.patch({ ...object, data: { a: '2' } }, undefined, undefined, undefined, undefined, s.MergePatch)
  hold(changed.data.a === '2', 'generic patch', changed)
  const list = await generic.list('apps/v1', 'Deployment', space)
  hold(list.items.length === 1, 'generic list', list.items.length)
  await generic.delete(object)
  say('objects without generated calls, found by legacy discovery')
}

const errors = async () => {
  const told = async (what, call, code, reason) => {
    const error = await call.then(() => fail(`${what} did not fail`), (e) => e)
    hold(error instanceof k8s.ApiException && error.code === code, what, { code: error.code, text: String(error) })
    const body = typeof error.body === 'string' ? JSON.parse(error.body) : error.body
    hold(body.kind === 'Status' && body.reason === reason && body.code === code, what, body)
    return body
  }
  await told('missing', core.readNamespacedPod({ namespace: space, name: 'none' }), 404, 'NotFound')
  const wrong = await told('wrong name', core.createNamespacedConfigMap({ namespace: space, body: { metadata: { name: 'Wrong_' } } }), 422, 'Invalid')
  hold(wrong.details.causes[0].field === 'metadata.name', 'cause', wrong.details)
  await told('selector', core.listNamespacedPod({ namespace: space, labelSelector: 'a in' }), 400, 'BadRequest')
  await told('strict', core.createNamespacedConfigMap({ namespace: 'nowhere', body: { metadata: { name: 'a' } } }), 404, 'NotFound')
  compact()
  await told('expired', core.listNamespacedPod({ namespace: space, resourceVersion: '1', resourceVersionMatch: 'Exact' }), 410, 'Expired')
  say('errors: codes and bodies of ApiException')
}

// A watch by lines: from a version on, without gap, with bookmarks, ended by the server.
const watching = async () => {
  const path = `/api/v1/namespaces/${space}/configmaps`
  const from = (await core.listNamespacedConfigMap({ namespace: space })).metadata.resourceVersion
  const seen = []
  let done
  const ended = new Promise((resolve) => (done = resolve))
  await new k8s.Watch(config).watch(path, { resourceVersion: from, allowWatchBookmarks: true, timeoutSeconds: 3 }, (type, object) => seen.push([type, object]), done)
  await core.createNamespacedConfigMap({ namespace: space, body: { metadata: { name: 'watched' }, data: { text: 'line\nline\r\n{"type":"ADDED"}\u2028' + 'x'.repeat(200000) } } })
  await core.patchNamespacedConfigMap({ namespace: space, name: 'watched', body: [{ op: 'add', path: '/data/b', value: '2' }] })
  await core.deleteNamespacedConfigMap({ namespace: space, name: 'watched' })
  const error = await ended
  hold(!error || error === k8s.Watch.SERVER_SIDE_CLOSE, 'the watch ended', String(error))
  const types = seen.map(([type]) => type)
  hold(types.slice(0, 3).join() === 'ADDED,MODIFIED,DELETED' && types.slice(3).every((type) => type === 'BOOKMARK') && types.length > 3, 'watch', types)
  hold(seen[0][1].data.text.length === 200000 + 32 - 5 || seen[0][1].data.text.endsWith('x'), 'a large event', seen[0][1].data.text.length)
  const versions = seen.map(([, object]) => Number(object.metadata.resourceVersion))
  hold(versions.every((version, i) => i === 0 || version >= versions[i - 1]), 'order', versions)
  say(`watch by lines: ${types.length} events, an object of 200 KB, bookmarks, ended by the server`)
}

// A watch by WebSocket, as browsers have it: a text frame each event, the end told by a close frame.
const sockets = async () => {
  const cluster = config.getCurrentCluster()
  const user = config.getCurrentUser()
  const tls = Object.fromEntries([['ca', cluster.caData], ['cert', user.certData], ['key', user.keyData]].map(([name, data]) => [name, Buffer.from(data, 'base64')]))
  const open = (query, protocols) => {
    const socket = new WebSocket(`${cluster.server.replace('https', 'wss')}/api/v1/namespaces/${space}/configmaps?watch=true&${query}`, protocols, { ...tls, perMessageDeflate: true })
    socket.seen = []
    socket.on('message', (data, binary) => socket.seen.push([binary, JSON.parse(data)]))
    socket.opened = new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
    socket.closed = new Promise((resolve) => socket.on('close', (code) => resolve(code)))
    return socket
  }
  const version = (await core.listNamespacedConfigMap({ namespace: space })).metadata.resourceVersion
  for (const protocols of [[], ['binary.k8s.io'], ['base64.binary.k8s.io', 'binary.k8s.io']]) {
    const socket = open(`resourceVersion=${version}&timeoutSeconds=3&fieldSelector=metadata.name%3Dby-socket`, protocols)
    await socket.opened
    hold(socket.protocol === (protocols.length ? 'binary.k8s.io' : ''), 'subprotocol', socket.protocol)
    let answered = false
    socket.on('pong', () => (answered = true))
    socket.ping('here?')
    await core.createNamespacedConfigMap({ namespace: space, body: { metadata: { name: 'by-socket' }, data: { text: 'x'.repeat(200000) } } })
    await core.deleteNamespacedConfigMap({ namespace: space, name: 'by-socket' })
    const code = await Promise.race([socket.closed, pause(20000)])
    const types = socket.seen.map(([binary, event]) => `${binary} ${event.type} ${event.object.metadata.name}`)
    hold(code === 1000 && answered, 'the end of a watch by WebSocket', { code, answered })
    hold(types.slice(-2).join() === 'false ADDED by-socket,false DELETED by-socket', 'events by WebSocket', types)
    hold(socket.seen.at(-2)[1].object.data.text.length === 200000, 'a long event', 0)
  }
  const refused = await open('resourceVersion=x', []).opened.then(() => 'opened', (error) => error.message)
  hold(/422/.test(refused), 'a watch by WebSocket that cannot be', refused)
  say('watch by WebSocket: subprotocols, text frames, pings, a close frame, a refusal')
}

// An informer that lives through compactions while objects come, change and go.
const informing = async () => {
  const seconds = Number(process.env.SECONDS_LONG ?? 20)
  const every = Number(process.env.COMPACT_EVERY ?? Math.max(2, seconds / 20))
  const selector = 'informed=yes'
  const list = () => core.listNamespacedConfigMap({ namespace: space, labelSelector: selector })
  const informer = k8s.makeInformer(config, `/api/v1/namespaces/${space}/configmaps`, list, selector)
  const counts = { add: 0, update: 0, delete: 0, error: 0, connect: 0 }
  const last = new Map()
  const gone = new Set()
  const heard = (verb, object) => {
    counts[verb]++
    const { uid, name, resourceVersion } = object.metadata
    const version = Number(resourceVersion)
    hold(!gone.has(uid), `${verb} of ${name} after it was deleted`, version)
    if (verb === 'delete') return gone.add(uid)
    hold(verb === 'add' ? !last.has(uid) : version > last.get(uid), `${verb} of ${name} after ${last.get(uid)}`, version)
    last.set(uid, version)
  }
  for (const verb of ['add', 'update', 'delete']) informer.on(verb, (object) => heard(verb, object))
  informer.on('connect', () => counts.connect++)
  let again = Promise.resolve()
  let stopping = false
  informer.on('error', (error) => {
    if (stopping) return
    counts.error++
    console.log(`  informer: ${error?.message ?? error}`)
    again = pause(50).then(() => informer.start())
  })
  await informer.start()
  let lives = 0
  let writes = 0
  let compactions = 0
  let next = Date.now() + every * 1000
  for (const end = Date.now() + seconds * 1000; Date.now() < end; lives++) {
    const name = `informed-${lives}`
    await core.createNamespacedConfigMap({ namespace: space, body: { metadata: { name, labels: { informed: 'yes' } }, data: { n: '' } } })
    for (let i = 0; i < 3; i++, writes++) await core.patchNamespacedConfigMap({ namespace: space, name, body: [{ op: 'replace', path: '/data/n', value: String(i) }] })
    if (lives % 10 !== 0) await core.deleteNamespacedConfigMap({ namespace: space, name })
    if (Date.now() > next) {
      compact()
      compactions++
      next = Date.now() + every * 1000
    }
    await pause(seconds > 60 ? 100 : 10)
  }
  await again
  await until(20, 'the informer has what the server has', async () => {
    const there = new Map((await list()).items.map((object) => [object.metadata.name, object.metadata.resourceVersion]))
    const known = informer.list()
    return known.length === there.size && known.every((object) => there.get(object.metadata.name) === object.metadata.resourceVersion)
  })
  stopping = true
  await informer.stop()
  hold(compactions > 2, 'compactions', compactions)
  hold(counts.add === lives && counts.delete === gone.size && counts.update >= 3 * lives - 3 * counts.connect, 'informer', { lives, ...counts })
  say(`informer: ${lives} objects, ${writes} changes, ${compactions} compactions in ${seconds} s; heard ${JSON.stringify(counts)}`)
}

await core.createNamespace({ body: { metadata: { name: space } } })
await until(20, 'default account', () => core.readNamespacedServiceAccount({ namespace: space, name: 'default' }).then(() => true, () => false))
const subjects = { kinds, patches, errors, watching, sockets, informing }
for (const [name, subject] of Object.entries(subjects)) {
  const begin = Date.now()
  await subject().catch((error) => fail(`${name}: ${error?.stack ?? error} ${error?.body ?? ''}`))
  console.log(`  ${name} took ${((Date.now() - begin) / 1000).toFixed(1)} s`)
}
process.exit(0)
