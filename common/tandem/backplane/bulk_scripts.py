"""The life of a job of many rows as Lua, beside its task record (`task_scripts.py`): which rows are done.

A job is one task, under the id its caller polls. Its chunks (ranges of rows, a message each) carry that same
id, so that whatever gives up on a chunk's message fails the job. What has been predicted is kept as parts
in the hash `tandem:bulk:{id}`:

    l<row>  how many rows the part has that begins at <row>     r  rows in all parts
    p<row>  its predictions, JSON without the brackets          b  bytes in all parts
    e<row>  its errors, likewise                                c  how the job was cut
    n<row>  attempts that began at <row>                        m<row>  the call that made the last of them

A part is only taken where the parts before it in its chunk end, so that rows are counted once, whoever writes
them again. A chunk that is delivered again goes on behind its last part. The hash lives no longer than its
task may, and is deleted by whoever comes and finds that the task has ended.
"""

from tandem.backplane.task_scripts import COMMON, Script, keys_of


def parts_key(task_id: str) -> str:
    """The key of what has been predicted of a job so far."""
    return f"tandem:bulk:{task_id}"


def bulk_keys_of(task_id: str) -> list[str]:
    """The keys of one job, in the order every script expects."""
    return [*keys_of(task_id), parts_key(task_id)]


_PARTS = (
    COMMON
    + """
local parts = KEYS[4]
local function reached(first, last)
  local at = tonumber(first)
  while at < tonumber(last) do
    local length = redis.call('HGET', parts, 'l' .. at)
    if not length then return at end
    at = at + length
  end
  return at
end
local function complete()
  return redis.call('HGET', parts, 'r') == redis.call('HGET', record, 't')
end
"""
)

BEGIN = Script(
    _PARTS
    + """
-- ARGV: result ttl ms, gone ttl ms, first row, last row (not included), cut, max attempts, the call's mark.
-- Gives {'run', row, attempt}, {'spent', row}, {'written'}, {'complete'} or {'ended'}.
local state = settle(ARGV[1], ARGV[2])
if not state or terminal(state) then
  redis.call('DEL', parts)
  return {'ended'}
end
-- A request repeated after a doubtful publish is cut as before, unless the model has changed meanwhile.
if redis.call('HSETNX', parts, 'c', ARGV[5]) == 0 and redis.call('HGET', parts, 'c') ~= ARGV[5] then
  return {'ended'}
end
redis.call('PEXPIREAT', parts, redis.call('HGET', record, 'x'))
if complete() then return {'complete'} end
local at = reached(ARGV[3], ARGV[4])
if at >= tonumber(ARGV[4]) then return {'written'} end
if redis.call('HGET', parts, 'm' .. at) ~= ARGV[7] then
  redis.call('HSET', parts, 'm' .. at, ARGV[7])
  redis.call('HINCRBY', parts, 'n' .. at, 1)
end
local attempt = tonumber(redis.call('HGET', parts, 'n' .. at))
if attempt > tonumber(ARGV[6]) then return {'spent', at} end
if state ~= 'STARTED' then redis.call('HSET', record, 's', 'STARTED', 'b', now) end
if attempt > tonumber(redis.call('HGET', record, 'n')) then redis.call('HSET', record, 'n', attempt) end
return {'run', at, attempt}
"""
)

ADD = Script(
    _PARTS
    + """
-- ARGV: result ttl ms, gone ttl ms, first row, last row (not included) of the chunk, row the part begins at,
-- its length, predictions, errors, most bytes of a result.
-- Gives {'run', row}, {'written'}, {'complete'}, {'large'} or {'ended'}.
local state = settle(ARGV[1], ARGV[2])
if not state or terminal(state) then
  redis.call('DEL', parts)
  return {'ended'}
end
local at = reached(ARGV[3], ARGV[4])
if at == tonumber(ARGV[5]) then
  redis.call('HSET', parts, 'l' .. at, ARGV[6], 'p' .. at, ARGV[7])
  if ARGV[8] ~= '' then redis.call('HSET', parts, 'e' .. at, ARGV[8]) end
  redis.call('HINCRBY', parts, 'r', ARGV[6])
  redis.call('HINCRBY', record, 'd', ARGV[6])
  local bytes = redis.call('HINCRBY', parts, 'b', #ARGV[7] + #ARGV[8])
  if bytes > tonumber(ARGV[9]) then return {'large'} end
  redis.call('PEXPIREAT', parts, redis.call('HGET', record, 'x'))
  at = reached(at, ARGV[4])
end
if complete() then return {'complete'} end
if at >= tonumber(ARGV[4]) then return {'written'} end
return {'run', at}
"""
)

WITHDRAW = Script(
    _PARTS
    + """
-- Takes a job back whose id nobody was given, started or not: its chunks find no record and are skipped, and
-- the same id may be accepted anew. One that has ended stays.
local state = redis.call('HGET', record, 's')
if not state or terminal(state) then return 0 end
return redis.call('DEL', record, gone, parts)
"""
)
