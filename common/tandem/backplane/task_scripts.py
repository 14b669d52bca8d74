"""The task lifecycle as Lua, run inside Redis: every transition is one atomic step by one clock.

A record is the hash `tandem:task:{id}`:

    s  state                  q  submitted, ms          x  expires, ms
    b  started, ms            f  finished, ms           n  attempts, also the fencing token
    e  error (problem JSON)   d, t  progress done, total
    k  1: keep the result the full time (somebody was given the id)
    z  attempts that do not count: those before a replay of the dead letter, and those given back
    a  the call that started the attempt, so that the call repeated is the same start
    o  the caller whose task it is; none: an anonymous one, or one that waits and was not given the id

An attempt may finish only with the token it started with: a redelivery takes the task over with a higher
token, and what the stale attempt brings is refused. The result itself stands under `celery-task-meta-{id}`
in Celery's own JSON, so that a Celery client reads it too. `tandem:gone:{id}` outlives both, holds the owner
and tells 410 from 404. No key is without a TTL.

Here are the steps of the edge; those of workers, for many tasks at once, are in `attempt_scripts.py`.
"""

from dataclasses import dataclass, field
from hashlib import sha1

META_PREFIX = "celery-task-meta-"


def record_key(task_id: str) -> str:
    """The key of a task's record."""
    return f"tandem:task:{task_id}"


def meta_key(task_id: str) -> str:
    """The key, and the channel, of a task's result in Celery's own format."""
    return META_PREFIX + task_id


def gone_key(task_id: str) -> str:
    """The key that remembers for a while that the task has been."""
    return f"tandem:gone:{task_id}"


def keys_of(task_id: str) -> list[str]:
    """The keys of one task, in the order every script expects."""
    return [record_key(task_id), meta_key(task_id), gone_key(task_id)]


@dataclass(frozen=True)
class Script:
    """A Lua script and its digest."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        # SHA-1 is what EVALSHA asks for; nothing here depends on its strength.
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


COMMON = """
local record, meta, gone = KEYS[1], KEYS[2], KEYS[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function terminal(state)
  return state == 'SUCCESS' or state == 'FAILURE' or state == 'REVOKED'
end
local function remember(ttl)
  redis.call('SET', gone, redis.call('HGET', record, 'o') or '', 'PX', ttl)
end
local function is_of(caller)
  return (redis.call('HGET', record, 'o') or redis.call('GET', gone) or '') == caller
end
-- `result_ttl` and `gone_ttl` in ms. A problem object as error; the meta key says the same in Celery's words.
local function revoke(reason, detail, at, result_ttl, gone_ttl)
  redis.call('HSET', record, 's', 'REVOKED', 'f', at, 'e', cjson.encode({
    type = '/problems/task-revoked', title = 'The task was canceled or has expired', status = 409,
    detail = detail, reason = reason}))
  redis.call('SET', meta, cjson.encode({status = 'REVOKED', task_id = string.sub(meta, 18),
    result = {exc_type = 'TaskRevokedError', exc_message = {reason}, exc_module = 'celery.exceptions'},
    traceback = cjson.null}), 'PX', result_ttl)
  redis.call('PEXPIRE', record, result_ttl)
  remember(result_ttl + gone_ttl)
  redis.call('PUBLISH', meta, redis.call('GET', meta))
end
-- An accepted task that has outlived its expiry is terminal, whoever looks first.
local function settle(result_ttl, gone_ttl)
  local state, expires = unpack(redis.call('HMGET', record, 's', 'x'))
  if state and not terminal(state) and tonumber(expires) <= now then
    revoke('expired', 'The task was not done before it expired.', expires, result_ttl, gone_ttl)
    return 'REVOKED'
  end
  return state
end
"""

ACCEPT = Script(
    COMMON
    + """
-- ARGV: expires in ms, result ttl ms, gone ttl ms, total rows, owner. Gives 1, or 0 where the id is taken.
if redis.call('EXISTS', record, gone) > 0 then return 0 end
local expires = now + ARGV[1]
redis.call('HSET', record, 's', 'PENDING', 'q', now, 'x', expires, 'n', 0, 'k', 1, 'd', 0, 't', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', record, 'o', ARGV[5]) end
redis.call('PEXPIRE', record, ARGV[1] + ARGV[2])
remember(ARGV[1] + ARGV[2] + ARGV[3])
return 1
"""
)

FORGET = Script(
    COMMON
    + """
-- Takes back an acceptance whose message certainly never reached the broker.
if redis.call('HGET', record, 's') == 'PENDING' and redis.call('HGET', record, 'n') == '0' then
  return redis.call('DEL', record, gone)
end
return 0
"""
)

CANCEL = Script(
    COMMON
    + """
-- ARGV: result ttl ms, gone ttl ms, caller. Gives the state now and whether this call made it so; of another
-- caller's task what it gives where there is none.
local state = settle(ARGV[1], ARGV[2])
if not is_of(ARGV[3]) then return {'', 0} end
if not state then return {redis.call('EXISTS', gone) == 1 and 'GONE' or '', 0} end
if terminal(state) then return {state, 0} end
revoke('canceled', 'The task was canceled.', now, ARGV[1], ARGV[2])
return {'REVOKED', 1}
"""
)

ABANDON = Script(
    COMMON
    + """
-- ARGV: submitted ms, result ttl ms, gone ttl ms, caller. The waiting caller's deadline has passed, and from
-- now on the task is that caller's to read.
-- Not started: it never will be. Running: its result will be kept. Done in the last moment: here it is.
-- Gives {state, meta JSON or ''}.
local state = settle(ARGV[2], ARGV[3])
if not state then
  if redis.call('EXISTS', gone) == 1 then return {'GONE', ''} end
  redis.call('HSET', record, 's', 'PENDING', 'q', ARGV[1], 'x', now, 'n', 0, 'd', 0, 't', 1)
  state = 'PENDING'
end
if ARGV[4] ~= '' then redis.call('HSETNX', record, 'o', ARGV[4]) end
if state == 'PENDING' or state == 'RETRY' then
  revoke('deadline', 'The caller stopped waiting before the task was started.', now, ARGV[2], ARGV[3])
  return {'REVOKED', ''}
end
redis.call('HSET', record, 'k', 1)
remember(ARGV[2] + ARGV[3])
if terminal(state) then
  redis.call('PEXPIRE', record, ARGV[2])
  redis.call('PEXPIRE', meta, ARGV[2])
end
return {state, redis.call('GET', meta) or ''}
"""
)

READ = Script(
    COMMON
    + """
-- ARGV: result ttl ms, gone ttl ms, caller, whether the meta JSON is wanted (1). Gives {fields, meta JSON or
-- '', gone}; of another caller's task what it gives where there is none.
settle(ARGV[1], ARGV[2])
if not is_of(ARGV[3]) then return {{}, '', 0} end
local document = ARGV[4] == '1' and redis.call('GET', meta) or ''
return {redis.call('HGETALL', record), document, redis.call('EXISTS', gone)}
"""
)
