// The entry of a log for JupyterLab.

import { renderLog } from "./log.js";

export default { render: renderLog };
