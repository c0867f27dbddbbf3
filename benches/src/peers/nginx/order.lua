-- Compares an order with its description, field by field: the least that a plugin would have to do.
local cjson = require "cjson"

local function refuse(why)
  ngx.status = 400
  ngx.header["Content-Type"] = "application/json"
  ngx.say('{"message":"' .. why .. '"}')
  return ngx.exit(400)
end

local function text(value, least, most)
  return type(value) == "string" and #value >= least and #value <= most
end

local function number(value, least, most)
  return type(value) == "number" and value >= least and value <= most
end

local function whole(value, least, most)
  return number(value, least, most) and value % 1 == 0
end

local function like(value, pattern)
  return type(value) == "string" and ngx.re.find(value, pattern, "jo") ~= nil
end

local UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
local TIME = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"
local STATES = { new = true, paid = true, sent = true, closed = true }
local MEMBERS = {
  id = true, customer = true, email = true, created = true, state = true, currency = true, note = true, total = true,
  discount = true, express = true, items = true, tags = true, address = true,
}

ngx.req.read_body()
local body = ngx.req.get_body_data()
if not body then return refuse("no body") end
local read, order = pcall(cjson.decode, body)
if not read or type(order) ~= "table" then return refuse("not JSON") end
for name in pairs(order) do
  if not MEMBERS[name] then return refuse("unknown member") end
end
if not like(order.id, UUID) then return refuse("id") end
if not whole(order.customer, 1, 9007199254740991) then return refuse("customer") end
if not like(order.email, "^[^@ ]+@[^@ ]+$") then return refuse("email") end
if not like(order.created, TIME) then return refuse("created") end
if not STATES[order.state] then return refuse("state") end
if not like(order.currency, "^[A-Z]{3}$") then return refuse("currency") end
if order.note ~= nil and not text(order.note, 0, 500) then return refuse("note") end
if not number(order.total, 0, 1e9) then return refuse("total") end
if not number(order.discount, 0, 100) then return refuse("discount") end
if type(order.express) ~= "boolean" then return refuse("express") end
if type(order.items) ~= "table" or #order.items < 1 or #order.items > 50 then return refuse("items") end
for _, item in ipairs(order.items) do
  if not like(item.sku, "^[A-Z]{3}-[0-9]{4}$") then return refuse("sku") end
  if not whole(item.quantity, 1, 1000) then return refuse("quantity") end
  if not number(item.price, 0, 1e6) then return refuse("price") end
  if not text(item.name, 1, 100) then return refuse("name") end
end
if type(order.tags) ~= "table" or #order.tags > 10 then return refuse("tags") end
for _, tag in ipairs(order.tags) do
  if not text(tag, 1, 20) then return refuse("tag") end
end
local address = order.address
if type(address) ~= "table" then return refuse("address") end
if not text(address.street, 1, 100) then return refuse("street") end
if not text(address.city, 1, 60) then return refuse("city") end
if not like(address.postcode, "^[0-9]{5}$") then return refuse("postcode") end
if not like(address.country, "^[A-Z]{2}$") then return refuse("country") end
