import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Static, TSchema, TUnknown } from 'typebox';
import type { SignedIn } from './sign-in/signed-in.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** On paths that a role signs in for. */
    role: SignedIn | undefined;
  }
}

/** A request whose parts have been validated. */
export interface HttpAsked<Params, Query, Body> {
  role: SignedIn;
  params: Params;
  query: Query;
  body: Body;
  request: FastifyRequest;
  reply: FastifyReply;
}

export interface RouteSpec<P extends TSchema, Q extends TSchema, B extends TSchema, A extends TSchema> {
  method: 'GET' | 'POST' | 'DELETE';
  /** With `:name` for a parameter. */
  path: string;
  tag: string;
  summary: string;
  /** A token is refused: {@link SignedIn.byPassword}. */
  needsPassword?: boolean;
  params?: P;
  query?: Q;
  body?: B;
  /** The body's content types, if it is not JSON. */
  bodyTypes?: readonly string[];
  bodyLimit?: number;
  /** Of the answer as JSON; undefined if it is none, as `answerType` says. */
  answer?: A;
  answerType?: string;
  /** Whether the answer may be long, and is compressed: nothing in it comes from the request. */
  isLong?: boolean;
  /** Of a success; default 200. */
  status?: number;
  /** Undefined: the handler has answered. */
  handle(asked: HttpAsked<Static<P>, Static<Q>, Static<B>>): Promise<Static<A>> | Static<A>;
}

/** A path that a role signs in for. */
export interface HttpRoute extends RouteSpec<TSchema, TSchema, TSchema, TSchema> {
  handle(asked: HttpAsked<unknown, unknown, unknown>): unknown;
}

/** One schema of each part is its validation, its type and its description in the OpenAPI document. */
export function route<
  P extends TSchema = TUnknown,
  Q extends TSchema = TUnknown,
  B extends TSchema = TUnknown,
  A extends TSchema = TUnknown,
>(spec: RouteSpec<P, Q, B, A>): HttpRoute {
  return spec as unknown as HttpRoute;
}
