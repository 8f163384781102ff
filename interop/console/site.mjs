// A Redis server and two servers of keyfob on it, on free ports of the loopback. All end with this process.

import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const program = process.env.KEYFOB_PROGRAM;
const running = [];

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Resolves with the first line that a program writes. */
function firstLine(child) {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (piece) => {
      text += piece;
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

async function startRedis(folder) {
  const port = await freePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes"];
  const redis = spawn("redis-server", args, { stdio: "ignore" });
  running.push(redis);
  for (let attempt = 0; attempt < 100; attempt += 1) {
    try {
      execFileSync("redis-cli", ["-p", String(port), "ping"], { stdio: "ignore" });
      return `redis://127.0.0.1:${port}`;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error("redis-server does not answer");
}

async function startServer(store, keys) {
  const args = ["serve", "--json", "--listen", "127.0.0.1:0", "--store", store, "--keys", keys, "--issuer", "https://tokens.example"];
  const env = { ...process.env, KEYFOB_JWT_AUDIENCES: "https://orders.example" };
  const server = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], env });
  running.push(server);
  return JSON.parse(await firstLine(server)).url;
}

/** Starts everything. Returns the URLs of the two servers, the key of an administrator, and how to ask the API. */
export async function startSite() {
  const folder = mkdtempSync(join(tmpdir(), "keyfob-console-"));
  process.on("exit", () => {
    for (const child of running) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  const store = await startRedis(folder);
  const keys = join(folder, "keys");
  execFileSync(program, ["keys", "generate", "--keys", keys], { stdio: "ignore" });
  const made = execFileSync(program, ["init", "--json", "--store", store, "--keys", keys]);
  const { admin_key: admin } = JSON.parse(made);
  const [url, other] = [await startServer(store, keys), await startServer(store, keys)];
  const api = new Api(url, admin);
  return { url, other, admin, api, otherApi: new Api(other, admin) };
}

/** The HTTP API, as an administrator. */
export class Api {
  constructor(url, key) {
    this.url = url;
    this.key = key;
  }

  async send(method, path, body) {
    const headers = { authorization: `Bearer ${this.key}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    const answer = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }

  issue(grant) {
    return this.send("POST", "/v1/tokens", grant);
  }

  validate(bearer) {
    return this.send("POST", "/v1/validate", { token: bearer });
  }

  async key_of(client, scopes) {
    return (await this.issue({ kind: "api-key", client, scopes })).bearer;
  }
}
