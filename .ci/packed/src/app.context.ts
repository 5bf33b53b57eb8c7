import { Injectable } from '@nestjs/common';

/** Members added to every handler's ctx. */
@Injectable()
export class AppContext {
  pay(amount: number): string {
    return `paid ${amount}`;
  }
}
