/** What must always be on screen: what this is, how old it is, whose chart it is. */
import { dataAgeS, status } from "../state/engine";
import { duration, utcMinute } from "../state/format";
import { goTo, hrefOf } from "./router";

export function Footer() {
  const now = status.value;
  return (
    <footer class="footer">
      <span class="footer-claim">Model estimates - not exchange data, not advice</span>
      <span class="footer-age">
        data age {duration(dataAgeS.value)}
        {now?.as_of_ms ? <span class="footer-as-of"> · as of {utcMinute(now.as_of_ms)} UTC</span> : ""}
      </span>
      <span class="footer-end">
        {now && <span>v{now.version}</span>}
        <a
          href={hrefOf("about")}
          onClick={(event) => {
            event.preventDefault();
            goTo("about");
          }}
        >
          Notices
        </a>
      </span>
    </footer>
  );
}
