-- load.lua — what wrk sends, by environment: BENCH_METHOD (default GET), BENCH_TYPE, BENCH_BODY (a file that holds the body),
-- BENCH_NAMES (a word that makes the names of this run unique: each request gets an address of its own), BENCH_PATHS (a
-- file with one path a line, each asked once; wrk stops after the last).
local count = 0

local function read(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  wrk.method = os.getenv("BENCH_METHOD") or "GET"
  local body_file = os.getenv("BENCH_BODY")
  if body_file then wrk.body = read(body_file) end
  if os.getenv("BENCH_TYPE") then wrk.headers["Content-Type"] = os.getenv("BENCH_TYPE") end
  local names = os.getenv("BENCH_NAMES")
  local list = os.getenv("BENCH_PATHS")
  if names then
    local folder = wrk.path
    request = function()
      count = count + 1
      return wrk.format(nil, folder .. names .. count)
    end
  elseif list then
    local all = {}
    for line in read(list):gmatch("[^\n]+") do all[#all + 1] = wrk.format(nil, line) end
    local answered = 0
    request = function()
      count = count + 1
      return all[(count - 1) % #all + 1]
    end
    response = function()
      answered = answered + 1
      if answered >= #all then wrk.thread:stop() end
    end
  end
end
