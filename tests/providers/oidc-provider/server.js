// An identity provider for the tests: client credentials; tokens for `urn:jwt` are JWTs, those for `urn:opaque` are not.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const secret = process.env.CLIENT_SECRET;
  const client = (client_id) => ({
    client_id,
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'read write',
  });
  const provider = new Provider(issuer, {
    clients: [client('app'), client('gate way')],
    scopes: ['read', 'write'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          audience: 'api',
          scope: 'read write',
          accessTokenTTL: 600,
          ...(resource === 'urn:jwt'
            ? { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }
            : { accessTokenFormat: 'opaque' }),
        }),
      },
    },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
