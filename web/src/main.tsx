import { render } from "preact";
import { App } from "./app/App";
import { startRouter } from "./app/router";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/layout.css";
import "./styles/pages.css";
import "./styles/narrow.css";
import "./styles/inspector.css";
import "./styles/scale.css";
import "./styles/map.css";
import "./styles/bell.css";

startRouter();
const root = document.getElementById("app");
if (root) render(<App />, root);
