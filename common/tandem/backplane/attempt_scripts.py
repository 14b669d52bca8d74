"""The worker's steps in the life of tasks as Lua, for many tasks in one call, as a micro-batch has them.

Each task is still one atomic step, under the same rules as if it were alone; what is the same for all is sent
once. `task_scripts.py` says what a record holds.
"""

from tandem.backplane.task_scripts import COMMON, Script


def _of_each(shared: int, one: str) -> Script:
    """A script for many tasks at once: the Lua function `one(…)` for each, its replies in their order.

    The first `shared` values of ARGV are the same for all; the others are given to `one`, as many to each. A
    task that fails is an error in its place, and keeps no other from going on.
    """
    return Script(
        COMMON
        + one
        + f"""
local tasks, replies = #KEYS / 3, {{}}
local own = (#ARGV - {shared}) / tasks
for task = 0, tasks - 1 do
  record, meta, gone = KEYS[3 * task + 1], KEYS[3 * task + 2], KEYS[3 * task + 3]
  local well, reply = pcall(one, unpack(ARGV, {shared} + 1 + task * own, {shared} + (task + 1) * own))
  if not well and type(reply) ~= 'table' then reply = {{err = tostring(reply)}} end
  replies[task + 1] = reply
end
return replies
"""
    )


START = _of_each(
    5,
    """
-- ARGV: expires in ms, result ttl ms, gone ttl ms, max attempts, the call's own mark ('' for none); of each
-- task: submitted ms, start deadline ms (0: none), k (1 where the sender was given the id, 0 for a caller
-- that only waits). Gives {'run', attempt}, {'done', state} or {'spent', attempt}.
local expires_in, result_ttl, gone_ttl, most, mark = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local function one(submitted, deadline, keep)
  local state = settle(result_ttl, gone_ttl)
  if state and terminal(state) then return {'done', state} end
  local too_late = deadline ~= '0' and tonumber(deadline) <= now
  if not state then
    -- Of a caller that only waited nothing is kept for long: it may have had its answer.
    if redis.call('EXISTS', gone) == 1 or (too_late and keep == '0') then return {'done', 'GONE'} end
    redis.call('HSET', record, 's', 'STARTED', 'q', submitted ~= '0' and submitted or now,
      'x', now + expires_in, 'n', 1, 'k', keep, 'd', 0, 't', 1, 'b', now, 'a', mark)
    redis.call('PEXPIRE', record, expires_in + result_ttl)
    return {'run', 1}
  end
  local kept, attempts, spent, call = unpack(redis.call('HMGET', record, 'k', 'n', 'z', 'a'))
  if state == 'STARTED' and mark ~= '' and call == mark then
    -- Carried out before, and only its answer was lost.
    return {'run', tonumber(attempts)}
  end
  if too_late and kept == '0' then
    revoke('deadline', 'The caller stopped waiting before the task was started.', now, result_ttl, gone_ttl)
    return {'done', 'REVOKED'}
  end
  local attempt = (tonumber(attempts) or 0) + 1
  if attempt - (tonumber(spent) or 0) > most then
    redis.call('HSET', record, 'n', attempt)
    return {'spent', attempt}
  end
  redis.call('HSET', record, 's', 'STARTED', 'b', now, 'a', mark, 'n', attempt)
  return {'run', attempt}
end
""",
)

FINISH = _of_each(
    3,
    """
-- ARGV: result ttl ms, gone ttl ms, short ttl ms; of each task: attempt (0: whatever it is), state, meta
-- JSON, error JSON ('' for none), reply channel ('' for none). Gives 1, or 0 where this attempt no longer
-- counts.
local result_ttl, gone_ttl, short_ttl = ARGV[1], ARGV[2], ARGV[3]
local function one(attempt, ending, document, problem, channel)
  local state, current, keep, total = unpack(redis.call('HMGET', record, 's', 'n', 'k', 't'))
  if not state then
    if attempt ~= '0' or redis.call('EXISTS', gone) == 1 then return 0 end
    redis.call('HSET', record, 'q', now, 'x', now, 'n', 0, 'k', 1)
    keep = '1'
  elseif terminal(state) or (attempt ~= '0' and (current ~= attempt or state ~= 'STARTED')) then
    -- The very same document: this call was carried out before, and only its answer was lost.
    return redis.call('GET', meta) == document and 1 or 0
  end
  local ttl = keep == '1' and result_ttl or short_ttl
  if ending == 'SUCCESS' then
    redis.call('HSET', record, 's', ending, 'f', now, 'd', total or 1)
  else
    redis.call('HSET', record, 's', ending, 'f', now)
  end
  if problem ~= '' then redis.call('HSET', record, 'e', problem) end
  redis.call('PEXPIRE', record, ttl)
  redis.call('SET', meta, document, 'PX', ttl)
  if keep == '1' then
    remember(result_ttl + gone_ttl)
    redis.call('PUBLISH', meta, document)
  end
  if channel ~= '' then redis.call('PUBLISH', channel, document) end
  return 1
end
""",
)

RETRY = _of_each(
    0,
    """
-- ARGV, of each task: attempt. The attempt gives the task back for another and does not count; gives 1, or 0
-- where it has been taken over or has ended.
local function one(number)
  local state, attempt = unpack(redis.call('HMGET', record, 's', 'n'))
  if attempt ~= number then return 0 end
  if state == 'RETRY' then return 1 end  -- by this very call, whose answer was lost
  if state ~= 'STARTED' then return 0 end
  redis.call('HSET', record, 's', 'RETRY')
  redis.call('HINCRBY', record, 'z', 1)
  return 1
end
""",
)

PROGRESS = _of_each(
    0,
    """
-- ARGV: attempt, done, total. Gives 1, or 0 where this attempt is no longer the one that counts.
local function one(number, done, total)
  local state, attempt = unpack(redis.call('HMGET', record, 's', 'n'))
  if state ~= 'STARTED' or attempt ~= number then return 0 end
  redis.call('HSET', record, 'd', done, 't', total)
  return 1
end
""",
)

REOPEN = _of_each(
    3,
    """
-- ARGV: expires in ms, result ttl ms, gone ttl ms. A failed task is to be run again, because somebody looked
-- at its dead letter and said so. The attempts count on, so that a stale one stays fenced. Opening again what
-- has not been started since is the same again: its message may not have been published. Gives 1 or 0.
local function one()
  local state, attempts, before = unpack(redis.call('HMGET', record, 's', 'n', 'z'))
  if state and state ~= 'FAILURE' and not (state == 'PENDING' and before) then return 0 end
  if not state then
    redis.call('HSET', record, 'q', now, 'n', 0, 'd', 0, 't', 1)
    local owner = redis.call('GET', gone)
    if owner and owner ~= '' then redis.call('HSET', record, 'o', owner) end
  end
  redis.call('HSET', record, 's', 'PENDING', 'x', now + ARGV[1], 'z', attempts or 0, 'k', 1)
  redis.call('HDEL', record, 'b', 'f', 'e')
  redis.call('DEL', meta)
  redis.call('PEXPIRE', record, ARGV[1] + ARGV[2])
  remember(ARGV[1] + ARGV[2] + ARGV[3])
  return 1
end
""",
)
