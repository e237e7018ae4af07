import Type, { type Static } from 'typebox';
import { type HttpRoute, route } from '../route.ts';
import { doneSchema, nullableText } from '../schemas.ts';

const tag = 'sign-in';

const tokenSchema = Type.Object(
  {
    name: Type.String(),
    only_predicts: Type.Boolean(),
    created_at: Type.String(),
    expires_at: Type.String(),
    used_at: nullableText,
  },
  { $id: 'Token' },
);

const tokenName = Type.String({ minLength: 1, maxLength: 100 });

export const tokenRoutes = (): HttpRoute[] => [
  route({
    method: 'POST',
    path: '/v1/tokens',
    tag,
    summary: 'Creates a token of the role, as rafiki_create_token',
    needsPassword: true,
    body: Type.Object(
      {
        name: tokenName,
        valid_for: Type.Optional(Type.String({ maxLength: 100, description: 'an interval: 30 days' })),
        only_predicts: Type.Optional(Type.Boolean({ description: 'whether it does nothing else' })),
      },
      { additionalProperties: false },
    ),
    answer: Type.Object(
      { name: Type.String(), token: Type.String({ description: 'shown this once' }) },
      { $id: 'NewToken' },
    ),
    status: 201,
    async handle({ role, body: { name, valid_for, only_predicts = false } }) {
      const time = valid_for === undefined ? '' : `, valid_for => rafiki._interval_named('valid_for', $3)`;
      const sql = `select ${role.api}.rafiki_create_token($1::text, only_predicts => $2::boolean${time}) as token`;
      const given = [name, only_predicts, ...(valid_for === undefined ? [] : [valid_for])];
      const [row] = await role.transaction((on) => on.query<{ token: string }>(sql, given));
      return { name, token: row?.token ?? '' };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/tokens',
    tag,
    summary: 'The tokens of the role, without what they are',
    answer: Type.Object({ tokens: Type.Array(tokenSchema) }),
    handle: async ({ role }) => ({ tokens: await role.call<Static<typeof tokenSchema>>('tokens') }),
  }),
  route({
    method: 'DELETE',
    path: '/v1/tokens/:name',
    tag,
    summary: 'Ends one of them, as rafiki_revoke_token; with a token only itself',
    params: Type.Object({ name: tokenName }),
    answer: doneSchema,
    async handle({ role, params }) {
      await role.call('revoke_token', params);
      return { done: true };
    },
  }),
];
