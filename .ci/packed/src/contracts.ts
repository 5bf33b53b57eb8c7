import { defineTask, type } from 'nest-conductor';

export const chargeOrder = defineTask({
  name: 'orders.charge',
  payload: type<{ orderId: string }>(),
  returns: type<{ receiptId: string; bodies: number }>(),
});

export const shipOrder = defineTask({
  name: 'orders.ship',
  payload: type<{ orderId: string; parcels: string }>(),
  returns: type<string>(),
});
