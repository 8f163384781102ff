// oidc-provider as the benchmark uses it: one client, client credentials and introspection. With
// REDIS_URL its tokens are in Redis, as its documentation shows; otherwise in its own memory.
import { Provider } from 'oidc-provider';

const configuration = {
  clients: [{
    client_id: 'client',
    client_secret: 'secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'read',
  }],
  scopes: ['read'],
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
  },
  ttl: { ClientCredentials: 30 * 24 * 3600 },
};

if (process.env.REDIS_URL) {
  const { default: Redis } = await import('ioredis');
  const client = new Redis(process.env.REDIS_URL, { keyPrefix: 'oidc:', enableAutoPipelining: true });
  configuration.adapter = class {
    constructor(name) { this.name = name; }
    key(id) { return `${this.name}:${id}`; }
    async upsert(id, payload, expiresIn) {
      const text = JSON.stringify(payload);
      if (expiresIn) await client.set(this.key(id), text, 'EX', expiresIn);
      else await client.set(this.key(id), text);
    }
    async find(id) {
      const text = await client.get(this.key(id));
      return text ? JSON.parse(text) : undefined;
    }
    async findByUid() { return undefined; }
    async findByUserCode() { return undefined; }
    async consume() {}
    async destroy(id) { await client.del(this.key(id)); }
    async revokeByGrantId() {}
  };
}

const provider = new Provider('http://127.0.0.1', configuration);
const server = provider.listen(0, '127.0.0.1', () => console.log(server.address().port));
