-- An action that asks keyfob whether a request may pass: http-request lua.keyfob URL ORIGIN

-- What keyfob needs of the request, and what the client learns of a refusal.
local asked = { "authorization", "cookie", "dpop" }
local answered = { "www-authenticate", "dpop-nonce", "retry-after", "cache-control", "content-type" }

local function refuse(txn, status, answer)
    local reply = txn:reply({ status = status })
    if answer then
        for _, name in ipairs(answered) do
            local values = answer.headers[name] or {}
            -- Counted from zero, in the order of keyfob.
            local at = 0
            while values[at] do
                reply:add_header(name, values[at])
                at = at + 1
            end
        end
        reply:set_body(answer.body or "")
    end
    txn:done(reply)
end

core.register_action("keyfob", { "http-req" }, function(txn, url, origin)
    local headers = {
        ["x-forwarded-for"] = { txn.f:src() },
        -- Proofs of possession are for one request.
        ["x-original-method"] = { txn.f:method() },
        ["x-original-url"] = { origin .. txn.f:path() },
    }
    local received = txn.http:req_get_headers()
    for _, name in ipairs(asked) do
        if received[name] then
            headers[name] = {}
            for _, value in pairs(received[name]) do
                table.insert(headers[name], value)
            end
        end
    end

    local answer = core.httpclient():get({ url = url, headers = headers, timeout = 2000 })
    if not answer or not answer.status or answer.status == 0 then
        return refuse(txn, 503)
    end
    if answer.status ~= 200 then
        return refuse(txn, answer.status, answer)
    end
    for name, values in pairs(answer.headers) do
        if name:sub(1, 8) == "x-token-" then
            txn.http:req_set_header(name, values[0] or values[1])
        end
    end
end, 2)
