import { expect, it } from 'vitest';
import { bundledData } from '../../../src/cli/encoders/bundled-data.ts';

const bundle = (value: string): string =>
  `!function(e){if("object"==typeof exports)module.exports=e();else window.model=e()}(function(){return function e(n){return n}({1:[function(e,a,n){a.exports=${value}},{}]},{},[1])(1)});`;
const read = (value: string): unknown => bundledData(bundle(value), 'a.min.js');

it('reads what minifiers write', () => {
  expect(read('{a:!0,b:!1,"c d":[null,void 0,-.5,1e3,.25],e:\'it\\\'s "x"\',f:"\\u00e9\\n",g:{}}')).toEqual({
    a: true,
    b: false,
    'c d': [null, null, -0.5, 1000, 0.25],
    e: 'it\'s "x"',
    f: 'é\n',
    g: {},
  });
  expect(read('"TWFu"')).toBe('TWFu');
  expect(Object.keys(read('{"__proto__":{x:1}}') as object)).toEqual(['__proto__']);
});

it('runs nothing: whatever is no literal is refused, and what is cut off', () => {
  for (const value of [
    '{a:process.exit()}',
    '{a:require("fs")}',
    '[1,2',
    '{a:1,}',
    '"x',
    '{a:`x`}',
    '[function(){}]',
    '{a:1+1}',
    '[0x10]',
    '{a:"\\x41"}',
  ])
    expect(() => bundledData(bundle(value).slice(0, bundle(value).indexOf(value) + value.length), 'a.min.js')).toThrow(
      expect.objectContaining({ sqlstate: '22000' }),
    );
  expect(() => bundledData('alert(1)', 'a.js')).toThrow(
    expect.objectContaining({ detail: expect.stringContaining('no value') }),
  );
  expect(() => read('['.repeat(1e5))).toThrow(expect.objectContaining({ detail: expect.stringContaining('nested') }));
});
