-- load.lua — what wrk sends, by environment: BENCH_METHOD (GET), BENCH_TYPE, BENCH_BODY (a file that holds the body),
-- BENCH_NAMES (a word unique to this run: with a number behind it, each request gets its own address).
local count = 0

function init()
  wrk.method = os.getenv("BENCH_METHOD") or "GET"
  wrk.headers["Content-Type"] = os.getenv("BENCH_TYPE")
  local body = os.getenv("BENCH_BODY")
  if body then
    local file = assert(io.open(body, "rb"))
    wrk.body = file:read("*a")
    file:close()
  end
  local names = os.getenv("BENCH_NAMES")
  if names then
    local folder = wrk.path
    request = function()
      count = count + 1
      return wrk.format(nil, folder .. names .. count)
    end
  end
end
