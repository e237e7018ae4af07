/** What a family may be named: it is a key in SQL, and a part of names there. */
export const familyName = /^[a-z][a-z0-9_]{0,62}$/;
export const MAX_TITLE_CHARS = 200;
