import { IsString } from 'class-validator';
import { z } from 'zod';
import { assertSchemas } from '../../../lib/contracts/assert-schemas.js';
import { defineTask } from '../../../lib/contracts/define-task.js';
import { InvalidTaskError } from '../../../lib/errors/invalid-task.error.js';

class Dto {
  @IsString()
  id!: string;
}
class Plain {}

const fine = { source: 'A.fine', ...defineTask({ name: 'fine', payload: Dto, returns: z.any() }) };
const none = { source: 'A.none', ...defineTask({ name: 'none' }) };
const one = { source: 'A.one', ...defineTask({ name: 'one', payload: Plain, returns: Dto }) };
const both = { source: 'B.both', ...defineTask({ name: 'both', payload: Plain, returns: Plain }) };

describe('assertSchemas', () => {
  it('has nothing against DTOs with rules, other schemas and none', async () => {
    await expect(assertSchemas([fine, none])).resolves.toBeUndefined();
  });

  it('names the handler whose DTO checks nothing', async () => {
    const refused = assertSchemas([fine, one, none]);
    await expect(refused).rejects.toBeInstanceOf(InvalidTaskError);
    await expect(refused).rejects.toMatchObject({
      source: 'A.one',
      problems: [expect.stringMatching(/^payload is the class Plain, which has no decorator/)],
    });
  });

  it('lists all of them at once', async () => {
    await expect(assertSchemas([one, both])).rejects.toMatchObject({
      source: 'A.one, B.both',
      problems: [
        expect.stringMatching(/^A\.one: payload is/),
        expect.stringMatching(/^B\.both: payload is/),
        expect.stringMatching(/^B\.both: returns is/),
      ],
    });
  });
});
