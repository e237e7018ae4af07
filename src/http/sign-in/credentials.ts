import { AuthenticationFailed } from '../../errors/errors.ts';

export interface Credentials {
  role: string;
  password: string;
}

/** Postgres cuts longer names; longer passwords are none that a role has. */
const MAX_ROLE_BYTES = 63;
const MAX_PASSWORD_BYTES = 1024;

/** Logins of rafiki's own processes, which a request never acts as. */
const OWN_ROLES = ['rafiki_service', 'rafiki_reader', 'rafiki_owner'];

const scheme = /^Basic ([A-Za-z0-9+/]+={0,2})$/i;

/**
 * Role and password of an Authorization header (RFC 7617, UTF-8). Throws {@link AuthenticationFailed} for a missing or
 * malformed one.
 */
export function credentialsOf(header: string | undefined): Credentials {
  const [, encoded = ''] = scheme.exec(header ?? '') ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  const colon = bytes.indexOf(0x3a);
  const role = bytes.toString('utf8', 0, Math.max(0, colon));
  const password = bytes.toString('utf8', colon + 1);
  const isComplete = colon > 0 && colon <= MAX_ROLE_BYTES && password !== '' && bytes.length <= MAX_PASSWORD_BYTES;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a name with a field's separator, a line's end or NUL is none
  if (isComplete && !/[\x00-\x1f\x7f\ufffd]/.test(role + password) && !OWN_ROLES.includes(role))
    return { role, password };
  throw new AuthenticationFailed(
    header === undefined ? 'this path needs a role and its password, or a token' : 'role or password is wrong',
    {
      hint: 'Send a Postgres role and its password by HTTP Basic: curl --user ROLE …; or a token: Authorization: Bearer …',
    },
  );
}
