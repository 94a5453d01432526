"""redis_scripts: what changes a queue in Redis, each as one script, which nothing else interrupts.

Under the prefix of a queue:
    job:ID   hash      the job
    key:KEY  string    the id of the job with this key
    due      sorted    jobs that wait or run, by when they are due; a member is
                       a number that counts up, so that equals keep their order, and the id
    running  set       the ids of those that run
    done, dead  sorted  the ids of jobs that ended, by when
    number   counter   for the members of `due`
"""

from __future__ import annotations

MEMBER_PREFIX = 17
"""Characters of a member of `due` before the id: sixteen digits and a colon."""

PRELUDE = """
local P, now = KEYS[1], tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local function exact(seconds) return string.format('%.6f', seconds) end
local function job_key(id) return P .. 'job:' .. id end
local function get(id, field) return redis.call('HGET', job_key(id), field) end
local function held(id, token) return get(id, 'lease') == token end
local function named(name)
  if redis.call('EXISTS', job_key(name)) == 1 then return name end
  return redis.call('GET', P .. 'key:' .. name) or nil
end
local function away(id)
  local state, member = get(id, 'state'), get(id, 'member')
  redis.call('ZREM', P .. 'due', member)
  redis.call('SREM', P .. 'running', id)
  if state == 'done' or state == 'dead' then redis.call('ZREM', P .. state, id) end
end
local function drop(id)
  away(id)
  local name = P .. 'key:' .. get(id, 'key')
  if redis.call('GET', name) == id then redis.call('DEL', name) end
  redis.call('DEL', job_key(id))
end
local function wait(id, due)
  away(id)
  redis.call('HDEL', job_key(id), 'lease', 'ended_at')
  redis.call('HSET', job_key(id), 'state', 'waiting', 'due_at', exact(due))
  redis.call('ZADD', P .. 'due', exact(due), get(id, 'member'))
end
local function finish(id, state)
  away(id)
  redis.call('HDEL', job_key(id), 'lease')
  redis.call('HSET', job_key(id), 'state', state, 'ended_at', exact(now))
  redis.call('ZADD', P .. state, exact(now), id)
end
local function again(id)
  if get(id, 'state') == 'dead' then
    redis.call('HSET', job_key(id), 'runs', 0, 'lost', 0, 'deferred_at', exact(now))
  end
  wait(id, now)
end
"""

ADD = """
local id, key, content = ARGV[2], ARGV[3], ARGV[4]
local known = redis.call('GET', P .. 'key:' .. key)
if known then
  local state, ended = get(known, 'state'), tonumber(get(known, 'ended_at') or '')
  if state and not (state == 'done' and ended + tonumber(ARGV[6]) <= now) then return {known, state} end
  if state then drop(known) end
end
if redis.call('ZCARD', P .. 'due') >= tonumber(ARGV[7]) then return {'', 'full'} end
local due = exact(now + tonumber(ARGV[5]))
local member = string.format('%016.0f', redis.call('INCR', P .. 'number')) .. ':' .. id
redis.call('HSET', job_key(id), 'id', id, 'key', key, 'state', 'waiting', 'deferred_at', exact(now), 'due_at', due,
  'runs', 0, 'lost', 0, 'member', member, 'content', content)
redis.call('SET', P .. 'key:' .. key, id)
redis.call('ZADD', P .. 'due', due, member)
return {id, 'waiting'}
"""

TAKE = """
local due = exact(now + tonumber(ARGV[2]))
local taken = {exact(now)}
for number, member in ipairs(redis.call('ZRANGEBYSCORE', P .. 'due', '-inf', exact(now), 'LIMIT', 0, ARGV[3])) do
  local id = string.sub(member, 18)
  if get(id, 'state') == 'running' then redis.call('HINCRBY', job_key(id), 'lost', 1) end
  redis.call('HINCRBY', job_key(id), 'runs', 1)
  redis.call('HSET', job_key(id), 'state', 'running', 'lease', ARGV[4] .. '-' .. number, 'due_at', due)
  redis.call('SADD', P .. 'running', id)
  redis.call('ZADD', P .. 'due', due, member)
  taken[#taken + 1] = redis.call('HGETALL', job_key(id))
end
return taken
"""

RENEW = """
local id = ARGV[2]
if not held(id, ARGV[3]) then return 0 end
local due = exact(now + tonumber(ARGV[4]))
redis.call('HSET', job_key(id), 'due_at', due)
redis.call('ZADD', P .. 'due', due, get(id, 'member'))
return 1
"""

FINISH = """
local id = ARGV[2]
if not held(id, ARGV[3]) then return 0 end
finish(id, 'done')
redis.call('HDEL', job_key(id), 'content')
return 1
"""

PUT_BACK = """
local id = ARGV[2]
if not held(id, ARGV[3]) then return 0 end
wait(id, now + tonumber(ARGV[4]))
redis.call('HINCRBY', job_key(id), 'runs', ARGV[5])
if ARGV[6] ~= '' then redis.call('HSET', job_key(id), 'reason', ARGV[6]) end
return 1
"""

BURY = """
local id = ARGV[2]
if not held(id, ARGV[3]) then return 0 end
finish(id, 'dead')
redis.call('HSET', job_key(id), 'reason', ARGV[4])
return 1
"""

FIND = """
local id = named(ARGV[2])
return id and redis.call('HGETALL', job_key(id)) or {}
"""

STATS = """
local first = redis.call('ZRANGE', P .. 'due', 0, 0, 'WITHSCORES')
return {exact(now), first[2] or '', redis.call('ZCARD', P .. 'due'), redis.call('SCARD', P .. 'running'),
  redis.call('ZCARD', P .. 'done'), redis.call('ZCARD', P .. 'dead')}
"""

RETRY = """
local id = named(ARGV[2])
if not id or (get(id, 'state') ~= 'dead' and get(id, 'state') ~= 'waiting') then return 0 end
again(id)
return 1
"""

RETRY_DEAD = """
local ids = redis.call('ZRANGE', P .. 'dead', 0, tonumber(ARGV[2]) - 1)
for _, id in ipairs(ids) do again(id) end
return #ids
"""

DROP = """
local id = named(ARGV[2])
if not id then return 0 end
drop(id)
return 1
"""

PURGE = """
local ids = redis.call('ZRANGEBYSCORE', P .. 'done', '-inf', exact(now - tonumber(ARGV[2])), 'LIMIT', 0, ARGV[3])
for _, id in ipairs(ids) do drop(id) end
return #ids
"""

ALL = {
    "add": ADD,
    "take": TAKE,
    "renew": RENEW,
    "finish": FINISH,
    "put_back": PUT_BACK,
    "bury": BURY,
    "find": FIND,
    "stats": STATS,
    "retry": RETRY,
    "retry_dead": RETRY_DEAD,
    "drop": DROP,
    "purge": PURGE,
}
