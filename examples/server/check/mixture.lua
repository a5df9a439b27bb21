-- SPDX-License-Identifier: MIT
--
-- For wrk: asks for something of each kind in turn, counts the statuses, and prints them as JSON. One thread, since each
-- has variables of its own.

local json = {["Content-Type"] = "application/json"}
local signed_in = {["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. os.getenv("TOKEN")}
local credentials = string.format('{"name":"%s","password":"%s"}', os.getenv("NAME"), os.getenv("PASSWORD"))
local threads = {}
local turn = 0
statuses = {}

function setup(thread) table.insert(threads, thread) end

function request()
  turn = turn + 1
  if turn % 4 == 0 then return wrk.format("GET", "/ping") end
  if turn % 4 == 1 then return wrk.format("GET", "/notes", signed_in) end
  if turn % 4 == 2 then return wrk.format("POST", "/notes", signed_in, '{"text":"a note"}') end
  return wrk.format("POST", "/sessions", json, credentials)
end

function response(status) statuses[status] = (statuses[status] or 0) + 1 end

function done(summary)
  local counts = {}
  for status, count in pairs(threads[1]:get("statuses")) do
    table.insert(counts, string.format('"%d": %d', status, count))
  end
  local errors = summary.errors
  print(string.format('{"statuses": {%s}, "errors": %d}', table.concat(counts, ", "),
    errors.connect + errors.read + errors.write + errors.timeout))
end
