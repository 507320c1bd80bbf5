;; `init` and `describe` answer with whatever stands in the place of the underscores, which whoever makes a
;; component of this replaces. The first two words of it say where their answers are.
;;
;; Promise: whatever a guest says of itself is text within its limits, or the guest's failure. Expected: a
;; model that is loaded, `guest.*` or `limit.output`.
(component
  (core module $guest
    (memory (export "memory") 1)
    (data (i32.const 8192)
      "________________________________________________________________"
      "________________________________________________________________"
      "________________________________________________________________"
      "________________________________________________________________")
    (func (export "init") (result i32) (i32.load (i32.const 8192)))
    (func (export "describe") (result i32) (i32.load (i32.const 8196)))
    ;; Nobody asks for it.
    (func (export "embed") (param i32 i32) (result i32) unreachable)
    (func (export "cleanup") (param i32))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  )
  (core instance $guest (instantiate $guest))

  ;; contract: text-embedding
)
