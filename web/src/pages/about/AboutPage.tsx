/** What this is, what it is not, and whose work it builds on. */
import { status } from "../../state/engine";

export function AboutPage() {
  return (
    <main class="about">
      <h1>About Faultline</h1>
      <p>
        Faultline estimates where leveraged crypto-derivatives positions are forced out of the market. What
        you see are estimates of a model, scored against what really happened. They are not exchange data and
        not advice.
      </p>
      {status.value && <p class="quiet">Engine version {status.value.version}.</p>}
      <h2>Third-party notices</h2>
      <p>
        The charts are drawn with TradingView Lightweight Charts™, Copyright (с) 2023 TradingView, Inc.{" "}
        <a href="https://www.tradingview.com/" rel="noreferrer noopener">
          https://www.tradingview.com/
        </a>
        , under the Apache License 2.0.
      </p>
      <p>
        The pages are built with Preact and Preact Signals, under the MIT licence. The colour maps viridis and
        inferno are by Stéfan van der Walt and Nathaniel Smith (CC0); cividis is by Jamie Nuñez, Christopher
        Anderton and Ryan Renslow.
      </p>
      <p>
        <a href="./THIRD_PARTY_NOTICES.txt">All licence texts</a>
      </p>
    </main>
  );
}
