// Reads a bearer in the browser, as far as its check goes: nothing is sent.
//
//   fob_at_ 22 digits of the id, 3 of the generation, 30 of the secret, 6 of the check (base62)
//
// The check is the CRC-32 of everything before it. Of a JWT, what it claims is read, and not its signature.

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";
const KINDS = { at: "access token", rt: "refresh token", ak: "API key", st: "session" };
const JWT = /^(eyJ[\w-]+)\.(eyJ[\w-]+)\.[\w-]+$/;
const ID = /^tok_[0-9a-z]{26}$/;
const FORM = /^([a-z0-9]{3,16})_(at|rt|ak|st)_([0-9A-Za-z]{55})([0-9A-Za-z]{6})$/;

function base62(text) {
  let value = 0n;
  for (const digit of text) value = value * 62n + BigInt(DIGITS.indexOf(digit));
  return value;
}

function crc32(text) {
  let crc = 0xffffffff;
  for (let n = 0; n < text.length; n += 1) {
    crc ^= text.charCodeAt(n);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Returns the public id: `tok_` and 26 digits of 5 bits. */
function idText(value) {
  let text = "";
  for (let n = 0; n < 26; n += 1) {
    text = ID_DIGITS[Number(value & 31n)] + text;
    value >>= 5n;
  }
  return `tok_${text}`;
}

function decoded(part) {
  const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

/** Reads what a JWT claims. */
function readJwt([, header, payload]) {
  try {
    const { typ } = decoded(header);
    const jwt = decoded(payload);
    if (!/^(application\/)?at\+jwt$/i.test(typ) || !ID.test(jwt.jti)) return { wrong: "This is a JWT, but no access token of keyfob." };
    return { jwt, id: jwt.jti };
  } catch {
    return { wrong: "This begins like a JWT and cannot be read. Was it copied whole?" };
  }
}

/** Reads a bearer. Returns what it says, or what is wrong with it. */
export function read(pasted) {
  const text = pasted.trim().replace(/^(bearer|dpop)\s+/i, "").replace(/^["']|["']$/g, "");
  const signed = JWT.exec(text);
  if (signed) return readJwt(signed);
  const parts = FORM.exec(text);
  if (!parts) return { wrong: "This does not have the form of a bearer. Was it copied whole?" };
  const [, prefix, kind, body, check] = parts;
  if (base62(check) !== BigInt(crc32(text.slice(0, -6)))) {
    return { wrong: "The check at its end is wrong: a character was changed or lost." };
  }
  const id = base62(body.slice(0, 22));
  if (id >> 128n) return { wrong: "This does not have the form of a bearer. Was it copied whole?" };
  return { prefix, kind: KINDS[kind], id: idText(id), generation: Number(base62(body.slice(22, 25))) };
}

const input = typeof document === "undefined" ? null : document.querySelector("[data-bearer]");

/** Returns a claim as a text in which nothing is hidden. */
const claim = (value) => [value ?? "nobody"].flat().join(", ").replace(/[\p{Cc}\p{Cf}]/gu, "\ufffd");

function shown({ wrong, jwt, prefix, kind, id, generation }) {
  const line = document.createElement("p");
  if (wrong) {
    line.className = "wrong";
    line.textContent = `✕ ${wrong}`;
    return line;
  }
  const link = document.createElement("a");
  link.className = "id";
  link.href = `/console/tokens/${id}`;
  link.textContent = id;
  if (jwt) {
    const end = new Date(jwt.exp * 1000);
    const until = Number.isNaN(end.getTime()) ? "" : `, until ${end.toISOString()}`;
    line.append(`✓ A JWT of `, link, `, which says: subject ${claim(jwt.sub)}, client ${claim(jwt.client_id)}, for ${claim(jwt.aud)}, issued by ${claim(jwt.iss)}${until}. Its signature is not checked yet, and nothing was sent.`);
    return line;
  }
  const more = generation ? `, secret number ${generation + 1}` : "";
  line.append(`✓ Its check is right: the bearer of a ${kind} with the prefix ${prefix}${more}, of `, link, ". Nothing was sent yet.");
  return line;
}

if (input) {
  const place = document.getElementById("bearer-read");
  input.addEventListener("input", () => place.replaceChildren(...(input.value.trim() ? [shown(read(input.value))] : [])));
  // A page that the browser keeps for going back has no secret either.
  addEventListener("pagehide", () => {
    input.value = "";
    place.replaceChildren();
  });
}
