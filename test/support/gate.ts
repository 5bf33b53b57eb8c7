/** Holds something open until a test lets it go, and tells when it got there. */
export class Gate {
  private opened!: () => void;
  private entered!: () => void;
  private readonly open_ = new Promise<void>((resolve) => (this.opened = resolve));
  /** Resolves when somebody waits at the gate. */
  readonly reached = new Promise<void>((resolve) => (this.entered = resolve));

  async pass(): Promise<void> {
    this.entered();
    await this.open_;
  }

  open(): void {
    this.opened();
  }
}
