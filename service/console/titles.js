/** How a case is called in one line. Read wherever a case is named. */

import { categoryName } from "./parts.js";

export const titleOf = (each) => `${categoryName(each.category)}: ${each.summary ?? each.reference ?? each.case_id.slice(0, 8)}`;
