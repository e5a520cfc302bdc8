#!lua name=eventflow_1

-- What EventFlow asks of Redis in one stroke. A function runs alone, but an error after its
-- first write leaves that write where it is: every function looks at everything first and
-- writes afterwards, and what it writes cannot fail then. Low memory and a read-only server
-- are refused by Redis before a function with writes begins.
--
-- Keys of a partition N carry the hash tag {pN}, so that one function needs one slot:
--   own          hash: epoch, owner, since (ms), era, ob (last position), at (newest time);
--                without an era it is closed, and waits for a recovery
--   h:<event>    hash: q seq, c chain, b batch, p position, t at, s sums,
--                z snapshot seq, x snapshot chain, n its chunks, y their name
--   log:<event>  stream <last seq>-*: c chain, p position, b blob; since the snapshot
--   ob           stream <position>-0: e event, f first seq, l last seq, o epoch, c chain,
--                t at, b blob; as far as the journal does not have it
--   cur          hash: journal, views, bus
--   due          sorted set: event by its next deadline (ms)
--   ev           hash: tag to the ids of its events, 16 bytes each
--
-- Numbers come and go as decimal text. All of them stay below 2^53, where Lua's doubles are
-- exact.

local function number(text, what)
    local n = tonumber(text)
    if not n or n < 0 or n > 9007199254740991 or n ~= math.floor(n) then
        error({ err = 'MALFORMED ' .. what .. ' is not a number' })
    end
    return n
end

local function expect(keys, args, n_keys, n_args)
    if #keys ~= n_keys or #args ~= n_args then
        error({ err = 'MALFORMED ' .. #keys .. ' keys and ' .. #args .. ' arguments' })
    end
end

local function expect_type(key, wanted)
    local found = redis.call('TYPE', key)['ok']
    if found ~= 'none' and found ~= wanted then
        error({ err = 'MALFORMED ' .. key .. ' is a ' .. found })
    end
end

local function now_ms()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- One batch: fenced, already applied, diverged, invalid, or applied, in this order.
local function commit(keys, args)
    expect(keys, args, 6, 16)
    local own, header, log, outbox, due, ev = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
    local epoch = number(args[1], 'epoch')
    local event, tag, batch = args[2], args[3], args[4]
    local base_seq, base_chain = number(args[5], 'base seq'), args[6]
    local next_seq, next_chain = number(args[7], 'next seq'), args[8]
    local booked, held = number(args[9], 'booked'), number(args[10], 'held')
    local capacity, lawful = number(args[11], 'capacity'), args[12]
    local deadline, at = args[13], tonumber(args[14])
    if at and at ~= math.floor(at) then at = nil end
    local sums, blob = args[15], args[16]
    if #event ~= 16 or #batch ~= 16 or #base_chain ~= 16 or #next_chain ~= 16 or not at
        or (deadline ~= '' and not tonumber(deadline)) then
        error({ err = 'MALFORMED batch' })
    end
    expect_type(own, 'hash')
    expect_type(header, 'hash')
    expect_type(log, 'stream')
    expect_type(outbox, 'stream')
    expect_type(due, 'zset')
    expect_type(ev, 'hash')

    local held_now = redis.call('HMGET', own, 'epoch', 'ob', 'at')
    local current = tonumber(held_now[1] or '0')
    if current ~= epoch or current == 0 then return { 'F', '0' } end
    local stored = redis.call('HMGET', header, 'q', 'c', 'b', 'p')
    local known = stored[1]
    local seq = tonumber(stored[1] or '0')
    local chain = stored[2] or string.rep('\0', 16)
    if known and stored[3] == batch and seq == next_seq and chain == next_chain then
        return { 'A', stored[4] }
    end
    if seq ~= base_seq or chain ~= base_chain then return { 'D', '0' } end
    if lawful ~= '1' or booked + held > capacity or next_seq < base_seq then
        return { 'I', '0' }
    end

    local position = string.format('%.0f', tonumber(held_now[2] or '0') + 1)
    local first = string.format('%.0f', base_seq + 1)
    redis.call('XADD', outbox, position .. '-0', 'e', event, 'f', first, 'l', args[7],
        'o', args[1], 'c', next_chain, 't', args[14], 'b', blob)
    redis.call('XADD', log, args[7] .. '-*', 'c', next_chain, 'p', position, 'b', blob)
    redis.call('HSET', header, 'q', args[7], 'c', next_chain, 'b', batch, 'p', position,
        't', args[14], 's', sums)
    if not held_now[3] or tonumber(held_now[3]) < at then
        redis.call('HSET', own, 'ob', position, 'at', args[14])
    else
        redis.call('HSET', own, 'ob', position)
    end
    if deadline == '' then
        if known then redis.call('ZREM', due, event) end
    else
        redis.call('ZADD', due, deadline, event)
    end
    if not known then
        redis.call('HSET', ev, tag, (redis.call('HGET', ev, tag) or '') .. event)
    end
    return { 'O', position }
end

-- Make a partition where there is none. One that is closed is there.
local function create(keys, args)
    expect(keys, args, 1, 1)
    number(args[1], 'era')
    if redis.call('EXISTS', keys[1]) == 1 then return 0 end
    redis.call('HSET', keys[1], 'era', args[1], 'epoch', '0')
    return 1
end

-- Until it is opened, nobody can claim it or commit to it. What is in it stays. Without an
-- epoch it is closed whoever has it; else only if it still has that epoch.
local function close(keys, args)
    expect(keys, args, 1, 1)
    local own = keys[1]
    expect_type(own, 'hash')
    if redis.call('EXISTS', own) == 0 then return 0 end
    local epoch = tonumber(redis.call('HGET', own, 'epoch') or '0')
    if args[1] ~= '' and number(args[1], 'epoch') ~= epoch then return 0 end
    redis.call('HSET', own, 'epoch', string.format('%.0f', epoch + 1), 'owner', '')
    redis.call('HDEL', own, 'era')
    return 1
end

-- The marker of a partition that was written anew; the last thing that is written.
local function open(keys, args)
    expect(keys, args, 1, 4)
    local own = keys[1]
    for i, what in ipairs({ 'era', 'epoch', 'position' }) do number(args[i], what) end
    if args[4] ~= '' and not tonumber(args[4]) then
        error({ err = 'MALFORMED time' })
    end
    expect_type(own, 'hash')
    local held = redis.call('HMGET', own, 'era', 'epoch')
    if held[1] or tonumber(held[2] or '0') >= tonumber(args[2]) then return 0 end
    redis.call('DEL', own)
    redis.call('HSET', own, 'era', args[1], 'epoch', args[2], 'owner', '', 'since', '0',
        'ob', args[3])
    if args[4] ~= '' then redis.call('HSET', own, 'at', args[4]) end
    return 1
end

-- Take a partition over if its epoch is still the one that was seen.
local function claim(keys, args)
    expect(keys, args, 1, 4)
    local own, owner = keys[1], args[1]
    local expected, tenure = number(args[2], 'epoch'), number(args[4], 'tenure')
    expect_type(own, 'hash')
    local held = redis.call('HMGET', own, 'epoch', 'owner', 'since', 'era')
    if not held[1] or not held[4] then return { 'M', '0' } end
    if tonumber(held[1]) ~= expected then return { 'L', held[1] } end
    local now = now_ms()
    if (held[2] or '') ~= '' and args[3] ~= '1' and now - tonumber(held[3] or '0') < tenure then
        return { 'T', held[1] }
    end
    local epoch = string.format('%.0f', expected + 1)
    redis.call('HSET', own, 'epoch', epoch, 'owner', owner, 'since', string.format('%.0f', now))
    return { 'W', epoch }
end

-- Give a partition up: its epoch is over, and nobody has it.
local function release(keys, args)
    expect(keys, args, 1, 1)
    local own, epoch = keys[1], number(args[1], 'epoch')
    expect_type(own, 'hash')
    local held = redis.call('HMGET', own, 'epoch', 'owner')
    if tonumber(held[1] or '0') ~= epoch or (held[2] or '') == '' then return 0 end
    redis.call('HSET', own, 'epoch', string.format('%.0f', epoch + 1), 'owner', '',
        'since', string.format('%.0f', now_ms()))
    return 1
end

-- Flip to a snapshot whose chunks have been written, and cut the log. One of an owner that
-- is gone, or of a history that is not this one, changes nothing.
local function flip(keys, args)
    expect(keys, args, 3, 6)
    local own, header, log = keys[1], keys[2], keys[3]
    local epoch, seq, chain = number(args[1], 'epoch'), number(args[2], 'seq'), args[3]
    local chunks, name, prefix = number(args[4], 'chunks'), args[5], args[6]
    expect_type(own, 'hash')
    expect_type(header, 'hash')
    expect_type(log, 'stream')
    local current = tonumber(redis.call('HGET', own, 'epoch') or '0')
    if current ~= epoch or current == 0 or chunks == 0 then return 0 end
    local stored = redis.call('HMGET', header, 'q', 'z', 'n', 'y')
    if not stored[1] or seq <= tonumber(stored[2] or '0') then return 0 end
    local cut
    for _, entry in ipairs(redis.call('XRANGE', log, args[2], args[2])) do
        local fields = entry[2]
        for i = 1, #fields, 2 do
            if fields[i] == 'c' and fields[i + 1] == chain then cut = entry[1] end
        end
    end
    if not cut then return 0 end
    for i = 0, chunks - 1 do
        if redis.call('EXISTS', prefix .. name .. ':' .. i) == 0 then return 0 end
    end

    for i = 0, chunks - 1 do
        redis.call('PERSIST', prefix .. name .. ':' .. i)
    end
    redis.call('HSET', header, 'z', args[2], 'x', chain, 'n', args[4], 'y', name)
    -- Entries of the same seq behind it stay: they have no booking events, and a chain.
    local sub = tonumber(string.match(cut, '%-(%d+)$')) + 1
    redis.call('XTRIM', log, 'MINID', args[2] .. '-' .. string.format('%.0f', sub))
    for i = 0, tonumber(stored[3] or '0') - 1 do
        redis.call('UNLINK', prefix .. stored[4] .. ':' .. i)
    end
    return 1
end

-- Move a cursor forward; the outbox goes as far as the journal has it.
local function advance(keys, args)
    expect(keys, args, 3, 3)
    local own, cursors, outbox = keys[1], keys[2], keys[3]
    local epoch, target, upto = number(args[1], 'epoch'), args[2], number(args[3], 'position')
    expect_type(own, 'hash')
    expect_type(cursors, 'hash')
    expect_type(outbox, 'stream')
    local current = tonumber(redis.call('HGET', own, 'epoch') or '0')
    if current ~= epoch or current == 0 then return 0 end
    if upto > tonumber(redis.call('HGET', cursors, target) or '0') then
        redis.call('HSET', cursors, target, args[3])
        if target == 'journal' then
            redis.call('XTRIM', outbox, 'MINID', string.format('%.0f', upto + 1) .. '-0')
        end
    end
    return 1
end

-- Era, epoch, owner and last position of each partition; era 0 where it is missing.
local function holders(keys)
    local all = {}
    for _, own in ipairs(keys) do
        local held = redis.call('HMGET', own, 'era', 'epoch', 'owner', 'ob')
        -- A hash without an era is no partition, whatever else is in it.
        local there = held[1] and held[2]
        all[#all + 1] = there and held[1] or '0'
        all[#all + 1] = there and held[2] or '0'
        all[#all + 1] = there and held[3] or ''
        all[#all + 1] = held[4] or '0'
    end
    return all
end

-- Epoch and head, of one moment.
local function head(keys, args)
    expect(keys, args, 2, 0)
    local stored = redis.call('HMGET', keys[2], 'q', 'c')
    return { redis.call('HGET', keys[1], 'epoch') or '0', stored[1] or '0',
        stored[2] or string.rep('\0', 16) }
end

redis.register_function('ef1_commit', commit)
redis.register_function('ef1_create', create)
redis.register_function('ef1_close', close)
redis.register_function('ef1_open', open)
redis.register_function('ef1_claim', claim)
redis.register_function('ef1_release', release)
redis.register_function('ef1_flip', flip)
redis.register_function('ef1_advance', advance)
redis.register_function { function_name = 'ef1_holders', callback = holders, flags = { 'no-writes' } }
redis.register_function { function_name = 'ef1_head', callback = head, flags = { 'no-writes' } }
