-- Sends the requests of a file in turn: one a line, its path and then its header lines, divided by tabs.
-- wrk … -s load.lua <address> -- <file> <line to begin with>
local list, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local path, headers = nil, {}
    for part in line:gmatch("[^\t]+") do
      if path then
        local name, value = part:match("^([^:]+): (.*)$")
        headers[name] = value
      else
        path = part
      end
    end
    list[#list + 1] = wrk.format("GET", path, headers)
  end
  at = tonumber(args[2]) % #list
end

function request()
  at = at % #list + 1
  return list[at]
end

-- For the program that started wrk, the last line of its output. Times are in microseconds.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"duration":%d,"refused":%d,"failed":%d,"p50":%d,"p90":%d,"p99":%d,"p999":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9)))
end
