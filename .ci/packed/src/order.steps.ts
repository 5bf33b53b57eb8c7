import { Injectable } from '@nestjs/common';
import { Step } from 'nest-conductor';

@Injectable()
export class OrderSteps {
  /** How often a body ran. */
  bodies = 0;

  @Step()
  async total(orderId: string): Promise<number> {
    this.bodies += 1;
    return orderId.length;
  }
}
