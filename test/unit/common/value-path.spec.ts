import { renderPath } from '../../../lib/common/value-path.js';

it.each([
  [[], ''],
  [['items', 3, 'name'], 'items[3].name'],
  [[0], '[0]'],
  [['a b', 'c'], '["a b"].c'],
  [['$set', '_x', 'über'], '$set._x.über'],
  [['\0'], String.raw`["\u0000"]`],
  [[Symbol('s')], '[Symbol(s)]'],
])('renders %p as code would write it', (keys, path) => {
  expect(renderPath(keys)).toBe(path);
});
