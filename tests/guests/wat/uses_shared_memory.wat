;; A core module with a memory that threads share.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module
    (memory 1 2 shared)))
