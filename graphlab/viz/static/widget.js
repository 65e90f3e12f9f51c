// The entry for JupyterLab: anywidget calls `render` with a model that is synchronised with Python.

import { render } from "./explorer.js";

export default { render };
