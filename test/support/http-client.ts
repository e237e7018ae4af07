export interface HttpAnswer<Body> {
  status: number;
  headers: Headers;
  /** Parsed, if it is JSON. */
  body: Body;
}

/** A client of the HTTP server, as one role. Bytes and texts are sent as they are; anything else as JSON. */
export type HttpClient = <Body = Record<string, unknown>>(
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<HttpAnswer<Body>>;

export const basic = (role: string, password = 'secret'): string =>
  `Basic ${Buffer.from(`${role}:${password}`).toString('base64')}`;

export const httpClient = (url: string, role?: string, password?: string): HttpClient =>
  clientOf(url, role === undefined ? undefined : basic(role, password));

/** A client with a token of rafiki_create_token. */
export const tokenClient = (url: string, token: string): HttpClient => clientOf(url, `Bearer ${token}`);

function clientOf(url: string, authorization: string | undefined): HttpClient {
  return async (method, path, body, headers = {}) => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(authorization === undefined ? {} : { authorization }),
        ...(body === undefined || isRaw ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body), duplex: 'half' }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  };
}
