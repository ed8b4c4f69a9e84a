-- What wrk sends: requests that were signed and serialised before, one after the other from a file of heads of one size,
-- each followed by the same body. A nonce is good once, so a head is used once, unless BENCH_WRAPS says that the other
-- side does not look at it. What was seen goes out as one line of JSON that begins with "measured ".
--
-- BENCH_HEADS, BENCH_HEAD_BYTES, BENCH_BODY: the files and the size. BENCH_WRAPS=1: begin again at the end.
-- BENCH_COUNTS=1: count answers by status, which costs wrk some speed. BENCH_DELAY_MS: pause before each request.

local threads = {}
local heads, body, size
local wraps = os.getenv("BENCH_WRAPS") == "1"
local pause = tonumber(os.getenv("BENCH_DELAY_MS") or "0")

ran_out, accepted, throttled, refused = 0, 0, 0, 0

function setup(thread)
   table.insert(threads, thread)
end

function init()
   size = tonumber(os.getenv("BENCH_HEAD_BYTES"))
   heads = assert(io.open(os.getenv("BENCH_HEADS"), "rb"))
   local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
   body = file:read("*a")
   file:close()
end

function request()
   local head = heads:read(size)
   if head == nil or #head < size then
      if not wraps then ran_out = 1 end
      heads:seek("set", 0)
      head = heads:read(size)
   end
   return head .. body
end

if os.getenv("BENCH_COUNTS") == "1" then
   function response(status)
      if status == 429 then
         throttled = throttled + 1
      elseif status < 400 then
         accepted = accepted + 1
      else
         refused = refused + 1
      end
   end
end

if pause > 0 then
   function delay()
      return pause
   end
end

function done(summary, latency)
   local sums = { ran_out = 0, accepted = 0, throttled = 0, refused = 0 }
   for _, thread in ipairs(threads) do
      for name, value in pairs(sums) do
         sums[name] = value + thread:get(name)
      end
   end
   local errors = summary.errors
   -- The slowest hundredth of the accepted ones is at least this share of all: so p99 of the accepted is at most that.
   local answers = math.max(summary.requests, 1)
   local bound = 100 * (1 - 0.01 * sums.accepted / answers)
   io.write(string.format(
      '\nmeasured {"answers":%d,"duration_us":%d,"status_errors":%d,"socket_errors":%d,"timeouts":%d,'
         .. '"p50_us":%d,"p99_us":%d,"max_us":%d,"accepted_p99_us_max":%d,'
         .. '"ran_out":%d,"accepted":%d,"throttled":%d,"refused":%d}\n',
      summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write, errors.timeout,
      latency:percentile(50), latency:percentile(99), latency.max, latency:percentile(bound),
      sums.ran_out, sums.accepted, sums.throttled, sums.refused))
end
