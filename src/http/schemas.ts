import Type from 'typebox';

/** Schemas that several routes share. */
export const errorSchema = Type.Object(
  {
    error: Type.Object({
      code: Type.String({ description: 'SQLSTATE' }),
      message: Type.String(),
      detail: Type.Optional(Type.String()),
      hint: Type.Optional(Type.String()),
    }),
  },
  { $id: 'Error' },
);

export const nullable = <S extends Type.TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
export const nullableText = nullable(Type.String());
export const nullableNumber = nullable(Type.Number());

const MAX_NAME = 200;
export const nameSchema = Type.String({ minLength: 1, maxLength: MAX_NAME });
export const modelParams = Type.Object({ model: nameSchema });
export const studyParams = Type.Object({ study: Type.String({ pattern: '^[0-9]{1,15}$' }) });

/** How many rows a list has at most, and from where. */
export const pageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000 })),
  },
  { additionalProperties: false },
);
export const DEFAULT_PAGE = 100;

export const doneSchema = Type.Object({ done: Type.Boolean() });
