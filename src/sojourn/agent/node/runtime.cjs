'use strict';
// The Node.js runtime: waits for invocations and hooks on descriptor 3, calls user code, reports.
//
// It is compiled inside the instance by `node_runtime.py`, needs nothing but Node's own modules, and keeps to a language
// old versions read. Hooks and the handler share one event loop: PreStop runs while a handler awaits, and not while it
// computes. What ends the process itself is for the agent to see.

const fs = require('fs');
const net = require('net');
const path = require('path');
const url = require('url');
const util = require('util');
const asyncHooks = require('async_hooks');

const HEADER_BYTES = 17;
const PAYLOAD_BYTES_MAX = 32 * 1024 * 1024;
const MESSAGE_CHARACTERS_MAX = 64 * 1024;
const STACK_LINES_MAX = 64;
const INVOKE = 2, HOOK = 5, RESULT = 18, PROGRESS = 25, READY = 32, HOOKED = 34;
const CHECKPOINT_FLAG = 1 << 30;
const FLAGS = 0xc0000000;
const CHECKPOINT_BYTES_MAX = 64 * 1024;
const REPORT_CHARACTERS_MAX = 1024;
const OK = 0, UNHANDLED = 1, HANDLED = 2;
const PRE_STOP = 'pre_stop';
const EXIT_ON_SIGTERM = 143;

class FunctionError extends Error {
  // A function error that is not user code's own, or explains one (`cause`).
  constructor(kind, message, cause) {
    super(message);
    this.kind = kind;
    this.cause = cause;
  }
}

// -- frames ----------------------------------------------------------------------------------------------------------

class Channel {
  // Frames over descriptor `fd`; `onFrame(kind, request, body)` gets each one. A request number stays bytes.
  constructor(fd, onFrame) {
    this.socket = new net.Socket({ fd, readable: true, writable: true });
    this.chunks = [];
    this.size = 0;
    this.onFrame = onFrame;
    this.socket.on('data', (data) => this.take(data));
    this.socket.on('error', () => process.exit(0));
    this.socket.on('close', () => process.exit(0));
  }

  take(data) {
    this.chunks.push(data);
    this.size += data.length;
    for (;;) {
      if (this.size < HEADER_BYTES) return;
      if (this.chunks[0].length < HEADER_BYTES) this.join();
      const whole = HEADER_BYTES + this.chunks[0].readUInt32BE(0);
      if (this.size < whole) return;
      if (this.chunks[0].length < whole) this.join();
      const frame = this.chunks[0].slice(0, whole);
      const rest = this.chunks[0].slice(whole);
      this.chunks[0] = rest;
      if (rest.length === 0) this.chunks.shift();
      this.size -= whole;
      this.onFrame(frame[4], frame.slice(5, 13), frame.slice(HEADER_BYTES));
    }
  }

  join() {
    this.chunks = [Buffer.concat(this.chunks, this.size)];
  }

  send(kind, request, body) {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(body.length, 0);
    header[4] = kind;
    request.copy(header, 5);
    this.socket.write(Buffer.concat([header, body]));
  }

  report(kind, request, began, outcome, payload) {
    const head = Buffer.alloc(17);
    head[0] = outcome;
    const passed = process.hrtime(began);
    writeUInt64(head, 1, passed[0] * 1e6 + Math.floor(passed[1] / 1e3));
    writeUInt64(head, 9, peakBytes());
    this.send(kind, request, Buffer.concat([head, payload]));
  }
}

function writeUInt64(buffer, offset, value) {
  buffer.writeUInt32BE(Math.floor(value / 0x100000000), offset);
  buffer.writeUInt32BE(value % 0x100000000, offset + 4);
}

function readUInt64(buffer, offset) {
  return buffer.readUInt32BE(offset) * 0x100000000 + buffer.readUInt32BE(offset + 4);
}

function peakBytes() {
  return process.resourceUsage ? process.resourceUsage().maxRSS * 1024 : process.memoryUsage().rss;
}

// -- output ----------------------------------------------------------------------------------------------------------

const runs = asyncHooks.AsyncLocalStorage ? new asyncHooks.AsyncLocalStorage() : null;
let latest = null;

function current() {
  return (runs && runs.getStore()) || latest;
}

function writer(level, stream) {
  return (...words) => {
    const run = current();
    stream.write(`${new Date().toISOString()} ${run ? run.requestId : ''} [${level}] ${util.format(...words)}\n`);
  };
}

const logger = {
  debug: writer('DEBUG', process.stdout),
  log: writer('INFO', process.stdout),
  info: writer('INFO', process.stdout),
  warn: writer('WARN', process.stderr),
  error: writer('ERROR', process.stderr),
};

// -- user code -------------------------------------------------------------------------------------------------------

let importModule = null;
try {
  const helper = new module.constructor('sojourn-import');
  helper.paths = [];
  helper._compile('module.exports = (place) => import(place);', __filename);
  importModule = helper.exports;
} catch (error) {
  importModule = null; // a Node.js without modules
}

const loaded = new Map();

async function load(root, spelled, role) {
  // The function that `spelled` names, `path/file.function`; its module is loaded at its first use and kept.
  if (loaded.has(spelled)) return loaded.get(spelled);
  const dot = spelled.lastIndexOf('.');
  const name = spelled.slice(dot + 1);
  const file = spelled.slice(0, dot);
  if (dot < 1 || !name) {
    throw new FunctionError('HandlerNotFound', `${role} '${spelled}' must be spelled file.function`);
  }
  const found = ['.js', '.cjs', '.mjs'].map((end) => path.resolve(root, file + end)).find((one) => fs.existsSync(one));
  if (!found) {
    const text = `Unable to import module '${file}' of ${role.toLowerCase()} '${spelled}': there is no ${file}.js, .cjs or .mjs`;
    throw new FunctionError('ImportModuleError', text);
  }
  let exported;
  try {
    exported = await bring(found);
  } catch (error) {
    const missing = error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND');
    const text = `Unable to import module '${file}' of ${role.toLowerCase()} '${spelled}': ${words(error)}`;
    throw new FunctionError(missing ? 'ImportModuleError' : kindOf(error), text, error);
  }
  let target = exported[name];
  if (target === undefined && exported.default) target = exported.default[name];
  if (typeof target !== 'function') {
    const what = target === undefined ? 'is missing on' : 'is not a function in';
    throw new FunctionError('HandlerNotFound', `${role} '${name}' of '${spelled}' ${what} module '${file}'`);
  }
  loaded.set(spelled, target);
  return target;
}

async function bring(file) {
  if (!file.endsWith('.mjs')) {
    try {
      return require(file);
    } catch (error) {
      const module = error && (error.code === 'ERR_REQUIRE_ESM' || error.code === 'ERR_REQUIRE_ASYNC_MODULE');
      if (!module || !importModule) throw error;
    }
  }
  if (!importModule) throw new Error('this version of Node.js has no ECMAScript modules');
  return importModule(url.pathToFileURL(file).href);
}

class Run {
  // One call of user code. It is over with the first of: its callback, its promise, a value that was returned by a
  // function which does not declare a callback, an exception, a failure that nobody caught meanwhile.
  constructor(requestId) {
    this.requestId = requestId;
    this.over = false;
    this.ended = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  settle(outcome, value) {
    if (this.over) return;
    this.over = true;
    this.resolve({ outcome, value });
  }

  start(target, given) {
    const callback = (error, value) => {
      if (error !== undefined && error !== null) this.settle(HANDLED, error);
      else this.settle(OK, value);
    };
    try {
      const value = target(...given, callback);
      if (value && typeof value.then === 'function') {
        value.then((answer) => this.settle(OK, answer), (error) => this.settle(UNHANDLED, error));
      } else if (target.length <= given.length) {
        this.settle(OK, value);
      }
    } catch (error) {
      this.settle(UNHANDLED, error);
    }
    return this.ended;
  }
}

const running = new Set();

async function call(root, spelled, role, requestId, given) {
  // Load and call; returns the outcome and the bytes of the answer.
  const run = new Run(requestId);
  running.add(run);
  latest = run;
  const body = async () => run.start(await load(root, spelled, role), given);
  let outcome, value;
  try {
    const begun = runs ? runs.run(run, body) : body();
    begun.catch((error) => run.settle(UNHANDLED, error));
    ({ outcome, value } = await run.ended);
    if (outcome === OK) return [OK, encoded(value)];
  } catch (error) {
    outcome = UNHANDLED;
    value = error;
  } finally {
    running.delete(run);
    if (latest === run) latest = running.size ? [...running][0] : null;
  }
  return [outcome, errorDocument(value)];
}

function stray(error) {
  // Nobody caught it. It fails what runs; when nothing runs it is only shown.
  const failed = current() || [...running][0];
  if (failed && !failed.over) failed.settle(UNHANDLED, error);
  else logger.error('not caught while nothing ran:', error);
}

// -- answers ---------------------------------------------------------------------------------------------------------

function encoded(value) {
  let data;
  if (Buffer.isBuffer(value)) data = value;
  else if (value instanceof ArrayBuffer) data = Buffer.from(value);
  else if (ArrayBuffer.isView(value)) data = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  else if (typeof value === 'string') data = Buffer.from(value, 'utf8');
  else {
    let text;
    try {
      text = JSON.stringify(value === undefined ? null : value);
      if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON`);
    } catch (error) {
      const what = `The value that the handler returned cannot be serialised as JSON: ${words(error)}`;
      throw new FunctionError(kindOf(error), what);
    }
    data = Buffer.from(text, 'utf8');
  }
  if (data.length > PAYLOAD_BYTES_MAX) {
    const what = `The handler returned ${data.length} bytes; the limit of a response is ${PAYLOAD_BYTES_MAX} bytes`;
    throw new FunctionError('ResponseTooLarge', what);
  }
  return data;
}

function errorDocument(error) {
  const ours = error instanceof FunctionError;
  const shown = ours && error.cause !== undefined ? error.cause : error;
  const body = {
    errorMessage: (ours ? error.message : words(error)).slice(0, MESSAGE_CHARACTERS_MAX),
    errorType: ours ? error.kind : kindOf(error),
    stackTrace: shown instanceof FunctionError ? [] : stackOf(shown),
  };
  try {
    const after = shown.retryAfter;
    if (typeof after === 'number' && after >= 0 && Number.isFinite(after)) body.retryAfterSeconds = after;
    if (shown.retry === false) body.retryable = false;
  } catch (_) {
    // thrown was null or undefined, or an attribute is user code that throws
  }
  return Buffer.from(JSON.stringify(body), 'utf8');
}

function words(error) {
  try {
    if (error && typeof error.message === 'string') return error.message;
    return typeof error === 'object' ? JSON.stringify(error) : String(error);
  } catch (_) {
    return `<${typeof error} without a message>`;
  }
}

function kindOf(error) {
  try {
    return error && typeof error.name === 'string' && error.name ? error.name : typeof error;
  } catch (_) {
    return 'Error';
  }
}

function stackOf(error) {
  try {
    const lines = String(error.stack || '').split('\n').map((line) => line.trim());
    const own = (line) => line.includes(__filename) || /\(?(node:)?internal\//.test(line) || /\(node:/.test(line);
    return lines.filter((line) => line.startsWith('at ') && !own(line)).slice(0, STACK_LINES_MAX);
  } catch (_) {
    return [];
  }
}

// -- serving ---------------------------------------------------------------------------------------------------------

function contextOf(facts, requestId, retryCount, deadlineAt) {
  // What user code is told of its execution; `deadlineAt` is in microseconds since 1970, 0 for none.
  const version = { qualifier: facts.qualifier || '', versionId: facts.version_id || '' };
  const logs = { logProject: facts.log_project || '', logStore: facts.log_store || '' };
  return {
    requestId,
    credentials: { accessKeyId: '', accessKeySecret: '', securityToken: '' },
    function: {
      name: facts.name || '',
      handler: facts.handler || '',
      memory: facts.memory || 0,
      timeout: facts.timeout || 0,
    },
    service: Object.assign({ name: facts.service || '' }, logs, version),
    region: facts.region || '',
    accountId: facts.account_id || '',
    retryCount,
    logger,
    tracing: { spanContext: '', jaegerEndpoint: '', spanBaggages: {} },
    get remainingMilliseconds() {
      return deadlineAt ? Math.max(0, Math.floor(deadlineAt / 1000 - Date.now())) : null;
    },
  };
}

class Reporting {
  // What one execution reports of how far it is, and the checkpoint it began with; `send(body)` gets all of it each time.
  constructor(checkpoint, send) {
    this.checkpoint = checkpoint;
    this.send = send;
    this.over = false;
    this.known = {};
  }

  report(percent, { message, checkpoint } = {}) {
    const given = (value) => value !== undefined && value !== null;
    if (given(percent) && !(typeof percent === 'number' && percent >= 0 && percent <= 100)) {
      throw new RangeError(`percent must be a number from 0 to 100, got ${String(percent).slice(0, 80)}`);
    }
    if (given(message) && !(typeof message === 'string' && message.length <= REPORT_CHARACTERS_MAX)) {
      throw new RangeError(`message must be text of at most ${REPORT_CHARACTERS_MAX} characters`);
    }
    const kept = given(checkpoint) ? Buffer.from(checkpoint) : this.checkpoint;
    if (kept.length > CHECKPOINT_BYTES_MAX) {
      throw new RangeError(`checkpoint must be of at most ${CHECKPOINT_BYTES_MAX} bytes`);
    }
    this.checkpoint = kept;
    if (given(percent)) this.known.percent = percent;
    if (given(message)) this.known.message = message;
    const body = Object.assign({ checkpoint: kept.toString('base64'), checkpointEncoding: 'base64' }, this.known);
    if (!this.over) this.send(Buffer.from(JSON.stringify(body), 'utf8'));
  }
}

module.exports = function serve(settings) {
  const { root, handler, context: facts } = settings;
  Object.assign(console, logger);

  async function invoke(request, body) {
    const began = process.hrtime();
    const length = body.readUInt16BE(12);
    const requestId = body.toString('utf8', 14, 14 + length);
    const retry = body.readUInt32BE(8);
    const context = contextOf(facts, requestId, (retry & ~FLAGS) >>> 0, readUInt64(body, 0));
    let start = 14 + length;
    let checkpoint = Buffer.alloc(0);
    if (retry & CHECKPOINT_FLAG) {
      checkpoint = body.slice(start + 4, start + 4 + body.readUInt32BE(start));
      start += 4 + checkpoint.length;
    }
    const event = body.slice(start);
    const reporting = new Reporting(checkpoint, (report) => channel.send(PROGRESS, request, report));
    // Ours alone: whoever copies or prints a context gets what Function Compute's has.
    Object.defineProperty(context, 'checkpoint', { value: checkpoint });
    Object.defineProperty(context, 'progress', { value: (percent, more) => reporting.report(percent, more) });
    const [outcome, answer] = await call(root, handler, 'Handler', requestId, [event, context]);
    reporting.over = true;
    channel.report(RESULT, request, began, outcome, answer);
  }

  async function hook(request, body) {
    const began = process.hrtime();
    const asked = JSON.parse(body.toString('utf8'));
    const deadlineAt = (Date.now() + asked.timeout_ms) * 1000;
    const context = contextOf(facts, asked.request_id, 0, deadlineAt);
    if (asked.hook === PRE_STOP) {
      context.stopReason = asked.reason;
      context.taskId = asked.task_id;
    }
    const [outcome, answer] = await call(root, asked.handler, 'Hook', asked.request_id, [context]);
    channel.report(HOOKED, request, began, outcome === OK ? OK : UNHANDLED, outcome === OK ? Buffer.alloc(0) : answer);
  }

  process.on('uncaughtException', stray);
  process.on('unhandledRejection', stray);
  process.on('SIGTERM', () => process.exit(EXIT_ON_SIGTERM));
  const channel = new Channel(3, (kind, request, body) => {
    if (kind === INVOKE) invoke(request, body);
    else if (kind === HOOK) hook(request, body);
  });
  channel.send(READY, Buffer.alloc(8), Buffer.alloc(0));
};
