// Drives one of the official npm clients for the tests: a JSON line in is a call, a JSON line out is what came of it.
'use strict';
const [, , which, endpoint, keyId, secret, service] = process.argv;
const host = endpoint.replace('http://', '');
const settings = { accessKeyId: keyId, accessKeySecret: secret, endpoint: host, protocol: 'http', regionId: 'any' };

function classic() {
  const FC = require('@alicloud/fc2');
  const client = new FC('any', { accessKeyID: keyId, accessKeySecret: secret, region: 'any', endpoint });
  client.accountid = '';
  const of = (name, qualifier) => `/services/${service}.${qualifier || 'LATEST'}/functions/${name}`;
  return {
    createService: async (name) => { await client.createService(name); },
    create: async (body) => (await client.createFunction(service, body)).data,
    delete: async (name) => { await client.deleteFunction(service, name); },
    function: async (name) => (await client.getFunction(service, name)).data,
    configure: async (name, body) => (await client.putFunctionAsyncConfig(service, name, 'LATEST', body)).data,
    configOf: async (name) => (await client.getFunctionAsyncConfig(service, name, 'LATEST')).data,
    configsOf: async (name) => (await client.listFunctionAsyncConfigs(service, name)).data.configs,
    unconfigure: async (name) => { await client.deleteFunctionAsyncConfig(service, name, 'LATEST'); },
    bound: async (name, count) => {
      await client.putOnDemandConfig(service, name, 'LATEST', { maximumInstanceCount: count });
    },
    boundOf: async (name) => (await client.getOnDemandConfig(service, name, 'LATEST')).data.maximumInstanceCount,
    unbound: async (name) => { await client.deleteOnDemandConfig(service, name, 'LATEST'); },
    invoke: async (name, payload, headers, qualifier) => {
      const answer = await client.invokeFunction(service, name, payload, headers, qualifier);
      return { body: answer.data, id: answer.headers['x-fc-stateful-async-invocation-id'] };
    },
    get: async (name, id) => (await client.get(`${of(name)}/stateful-async-invocations/${id}`)).data,
    page: async (name, query) => (await client.get(`${of(name)}/stateful-async-invocations`, query)).data,
    stop: async (name, id) => { await client.put(`${of(name)}/stateful-async-invocations/${id}`); },
  };
}

const $toMap = (model) => model.toMap();

function open() {
  const { Config } = require('@alicloud/openapi-client');
  const models = require('@alicloud/fc-open20210406');
  const { RuntimeOptions } = require('@alicloud/tea-util');
  const client = new models.default(new Config(settings));
  return {
    createService: async (name) => { await client.createService(new models.CreateServiceRequest({ serviceName: name })); },
    create: async (body) => {
      const code = new models.Code({ zipFile: body.code.zipFile });
      const request = new models.CreateFunctionRequest({ ...body, code });
      const preStop = body.instanceLifecycleConfig && body.instanceLifecycleConfig.preStop;
      if (preStop) {
        const hook = new models.LifecycleHook(preStop);
        request.instanceLifecycleConfig = new models.InstanceLifecycleConfig({ preStop: hook });
      }
      return (await client.createFunction(service, request)).body;
    },
    delete: async (name) => { await client.deleteFunction(service, name); },
    function: async (name) =>
      $toMap((await client.getFunction(service, name, new models.GetFunctionRequest({}))).body),
    configure: async (name, body) =>
      (await client.putFunctionAsyncInvokeConfig(service, name, new models.PutFunctionAsyncInvokeConfigRequest(body))).body,
    configOf: async (name) =>
      (await client.getFunctionAsyncInvokeConfig(service, name, new models.GetFunctionAsyncInvokeConfigRequest({}))).body,
    configsOf: async (name) => {
      const request = new models.ListFunctionAsyncInvokeConfigsRequest({ limit: 10 });
      return (await client.listFunctionAsyncInvokeConfigs(service, name, request)).body.configs;
    },
    unconfigure: async (name) => {
      await client.deleteFunctionAsyncInvokeConfig(service, name, new models.DeleteFunctionAsyncInvokeConfigRequest({}));
    },
    bound: async (name, count) => {
      const request = new models.PutFunctionOnDemandConfigRequest({ maximumInstanceCount: count });
      await client.putFunctionOnDemandConfig(service, name, request);
    },
    boundOf: async (name) => {
      const request = new models.GetFunctionOnDemandConfigRequest({});
      return (await client.getFunctionOnDemandConfig(service, name, request)).body.maximumInstanceCount;
    },
    unbound: async (name) => {
      await client.deleteFunctionOnDemandConfig(service, name, new models.DeleteFunctionOnDemandConfigRequest({}));
    },
    invoke: async (name, payload, headers, qualifier) => {
      const request = new models.InvokeFunctionRequest({ body: Buffer.from(payload), qualifier });
      const sent = new models.InvokeFunctionHeaders({ commonHeaders: headers });
      const answer = await client.invokeFunctionWithOptions(service, name, request, sent, new RuntimeOptions({}));
      return { body: Buffer.from(answer.body || '').toString(), id: answer.headers['x-fc-stateful-async-invocation-id'] };
    },
    get: async (name, id) =>
      (await client.getStatefulAsyncInvocation(service, name, id, new models.GetStatefulAsyncInvocationRequest({}))).body,
    page: async (name, query) =>
      (await client.listStatefulAsyncInvocations(service, name, new models.ListStatefulAsyncInvocationsRequest(query))).body,
    stop: async (name, id) => {
      await client.stopStatefulAsyncInvocation(service, name, id, new models.StopStatefulAsyncInvocationRequest({}));
    },
  };
}

function newest() {
  const { Config } = require('@alicloud/openapi-core/dist/utils');
  const models = require('@alicloud/fc20230330');
  const { RuntimeOptions } = require('@darabonba/typescript');
  const client = new models.default(new Config(settings));
  const of = (name) => `${service}$${name}`;
  const older = (task) => ({
    ...task.toMap(), serviceName: service, functionName: task.functionArn.split('$')[1], invocationId: task.taskId,
    invocationPayload: task.taskPayload, invocationErrorMessage: task.taskErrorMessage,
  });
  const olderConfig = (config, name) =>
    ({ ...config, statefulInvocation: config.asyncTask, service, function: name, qualifier: 'LATEST' });
  return {
    createService: async () => {},
    create: async (body) => {
      const code = new models.InputCodeLocation({ zipFile: body.code.zipFile });
      const { initializer, initializationTimeout, instanceLifecycleConfig, ...more } = body;
      const input = new models.CreateFunctionInput({ ...more, functionName: of(body.functionName), code });
      if (initializer) {
        input.instanceLifecycleConfig = new models.InstanceLifecycleConfig({
          initializer: new models.LifecycleHook({ handler: initializer, timeout: initializationTimeout }),
          preStop: new models.LifecycleHook(instanceLifecycleConfig.preStop),
        });
      }
      const made = (await client.createFunction(new models.CreateFunctionRequest({ body: input }))).body.toMap();
      return { ...made, functionName: made.functionName.split('$')[1] };
    },
    delete: async (name) => { await client.deleteFunction(of(name)); },
    function: async (name) => {
      const found = (await client.getFunction(of(name), new models.GetFunctionRequest({}))).body.toMap();
      const { initializer, ...others } = found.instanceLifecycleConfig;
      const older = { initializer: initializer.handler, initializationTimeout: initializer.timeout };
      return { ...found, ...older, instanceLifecycleConfig: others };
    },
    configure: async (name, body) => {
      const { statefulInvocation, ...more } = body;
      const input = new models.PutAsyncInvokeConfigInput({ ...more, asyncTask: statefulInvocation });
      const request = new models.PutAsyncInvokeConfigRequest({ body: input });
      const made = (await client.putAsyncInvokeConfig(of(name), request)).body.toMap();
      return olderConfig(made, name);
    },
    configOf: async (name) =>
      olderConfig((await client.getAsyncInvokeConfig(of(name), new models.GetAsyncInvokeConfigRequest({}))).body.toMap(), name),
    configsOf: async (name) => {
      const request = new models.ListAsyncInvokeConfigsRequest({ functionName: of(name) });
      return (await client.listAsyncInvokeConfigs(request)).body.configs.map((each) => olderConfig(each.toMap(), name));
    },
    unconfigure: async (name) => {
      await client.deleteAsyncInvokeConfig(of(name), new models.DeleteAsyncInvokeConfigRequest({}));
    },
    bound: async (name, count) => {
      const body = new models.PutConcurrencyInput({ reservedConcurrency: count });
      await client.putConcurrencyConfig(of(name), new models.PutConcurrencyConfigRequest({ body }));
    },
    boundOf: async (name) => (await client.getConcurrencyConfig(of(name))).body.reservedConcurrency,
    unbound: async (name) => { await client.deleteConcurrencyConfig(of(name)); },
    invoke: async (name, payload, headers, qualifier) => {
      const { Readable } = require('stream');
      const request = new models.InvokeFunctionRequest({ body: Readable.from([Buffer.from(payload)]), qualifier });
      const sent = new models.InvokeFunctionHeaders({ commonHeaders: headers });
      const answer = await client.invokeFunctionWithOptions(of(name), request, sent, new RuntimeOptions({}));
      const pieces = [];
      for await (const piece of answer.body || []) pieces.push(Buffer.from(piece));
      return { body: Buffer.concat(pieces).toString(), id: answer.headers['x-fc-async-task-id'] };
    },
    get: async (name, id) => older((await client.getAsyncTask(of(name), id, new models.GetAsyncTaskRequest({}))).body),
    page: async (name, query) => {
      const { invocationIdPrefix, ...more } = query;
      const request = new models.ListAsyncTasksRequest({ ...more, prefix: invocationIdPrefix });
      const found = (await client.listAsyncTasks(of(name), request)).body;
      return { invocations: (found.tasks || []).map(older), nextToken: found.nextToken };
    },
    stop: async (name, id) => { await client.stopAsyncTask(of(name), id, new models.StopAsyncTaskRequest({})); },
  };
}

const client = { fc2: classic, 'fc-open20210406': open, fc20230330: newest }[which]();

function refusal(error) {
  const found = / failed with (\d+)\./.exec(error.message || '');
  const status = error.statusCode || (error.data && error.data.statusCode) || (found && Number(found[1])) || 0;
  return { status, code: String(error.code || ''), message: String(error.stack || error.message) };
}

require('readline').createInterface({ input: process.stdin }).on('line', async (line) => {
  const { number, call, arguments: given } = JSON.parse(line);
  let answer;
  try {
    const value = await client[call](...given);
    answer = { number, value: value === undefined ? null : value };
  } catch (error) {
    answer = { number, error: refusal(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
