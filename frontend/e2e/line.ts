/** A line between the browser and the gateway that a test can cut, freeze and mend. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Line {
  private state: "whole" | "cut" | "frozen" = "whole";
  private readonly pairs = new Set<[Socket, Socket]>();

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {
    server.on("connection", (browser) => this.carry(browser));
  }

  static async to(target: URL): Promise<Line> {
    const server = createServer();
    const line = new Line(server, target);
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    return line;
  }

  get url() {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  private carry(browser: Socket) {
    if (this.state === "cut") {
      browser.destroy();
      return;
    }
    const gateway = connect(Number(this.target.port), this.target.hostname);
    const pair: [Socket, Socket] = [browser, gateway];
    this.pairs.add(pair);
    for (const [from, to] of [pair, pair.toReversed()] as [Socket, Socket][]) {
      from.on("data", (bytes) => this.state === "frozen" || to.write(bytes));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        to.destroy();
        this.pairs.delete(pair);
      });
    }
  }

  /** Every connection ends, and no new one is taken. */
  cut() {
    this.state = "cut";
    for (const pair of this.pairs) for (const socket of pair) socket.destroy();
  }

  /** Nothing arrives any more, in either direction, and nobody is told. */
  freeze() {
    this.state = "frozen";
  }

  mend() {
    if (this.state === "frozen") this.cut();
    this.state = "whole";
  }

  async close() {
    this.cut();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }
}
